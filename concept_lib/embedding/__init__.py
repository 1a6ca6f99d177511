"""Images and words become unit vectors of one space."""
