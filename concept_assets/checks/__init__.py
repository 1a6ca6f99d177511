"""Asset checks: what is wrong is said, stops what comes after where it must, and warns where it may be meant."""

from concept_assets.checks import concepts, images, published

CHECKS = [*images.CHECKS, *concepts.CHECKS, *published.CHECKS]
