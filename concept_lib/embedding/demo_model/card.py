"""The model card, written from the figures of the training that it describes."""

from __future__ import annotations

from collections.abc import Mapping

from concept_lib.embedding.demo_model.evaluate import GUARANTEE, Figures
from concept_lib.embedding.demo_model.recipe import Recipe
from concept_lib.modeling.naming import GENERAL_SHARE

CARD = """\
# Demo model

A small CLIP ({megabytes:.1f} MB) that comes with Concept Atlas. It is for the rendered sample gallery, for the
tests, for machines without a model hub, and for ordinary shop photographs. `SentenceTransformer(folder)` loads
`weights/` like any other CLIP model, without a network.

**It has no open vocabulary.** It can name the {n_words} kinds listed below and nothing else: a picture of
anything else gets a vector, and may group well with its like, but no noun fits it. For real collections use
`clip-ViT-B-32`.

## Architecture
A `VisionTextDualEncoderModel` of transformers. Images go through a ConvNeXt (Liu and others, 2022),
stages of {hidden_sizes} channels with {depths} blocks. Words go through CLIP's text transformer (Radford and
others, 2021): width {text_hidden_size}, {text_layers} layers. Both are projected to {dim} dimensions. The byte-pair
tokenizer was learnt from the bundled nouns, most of which are one token. Pictures are squeezed to
{served_size} x {served_size} px, whole: a little larger than in training, whose random crops show things larger
than they are. Weights lie on disk as float16 and are computed in float32.

## What it saw
| pictures | licence |
|---|---|
| renders of the sample gallery, other seeds than any gallery's ({n_training_renders:,}) | ours (MIT) |
| groceries: GroceryStoreDataset (M. Klasson and others), its `train` paths | MIT |
| clothing: clothing-dataset (A. Grigorev) | CC0 1.0 |
| waste: TrashNet (G. Thung and M. Yang) | MIT |

{n_training_photos:,} photographs in all. They were at most 128 px.
Words: the labels of these pictures, the synonyms and hypernyms in `relations.toml`, and the bundled nouns as
distractors. Nothing else: no pretrained weights, no captions from elsewhere.

## How it was trained
{steps:,} steps of {batch_size} pictures on a CPU, in two cycles of falling rates (after {first_steps:,} steps they
start once more, at {second_rate:.0%} of their height); the first {small_share:.0%} of the first cycle at {small_size}
px, all else at {image_size}. Muon for the matrices, AdamW for the rest. A picture chooses its label among all
labels and {distractors} other
nouns by a softmax over {early_logit_scale:g}, later {logit_scale:g} times the cosine, with label smoothing. Synonyms
and hypernyms share {related:.0%} of the target, and hypernyms have {mixed_weight:.0%} where two pictures were mixed:
what is neither the one nor the other is at least of their common kind. A linear layer, thrown away afterwards, tells
the products of the groceries apart. Captions choose their noun likewise. Classes are balanced
(count^-{balance:g}), pictures cropped, turned, mirrored, recoloured and mixed (CutMix) until the last
{gentle_share:.0%} of a cycle;
{renewed:.0%} of the renders are new in each epoch. Weights are a moving average.

    python -m concept_lib.embedding.demo_model.train --photos FILE

`FILE` is a Parquet file with the columns `label`, `jpeg`, `source`. The training goes on where it was stopped.

## Figures
On pictures held out: groceries by their source's own `val/` paths, clothing and waste by a hash of the path
(pictures of one garment can lie on both sides, so those figures flatter), renders of other seeds. A picture is
named right when its label is nearest among all {n_nouns:,} bundled nouns.

| | first noun | among first five |
|---|---|---|
| all photographs ({n_photos}) | {photo_top1:.3f} | {photo_top5:.3f} |
| renders ({n_held_renders}) | {render_top1:.3f} | |

Kinds with three held-out photographs or more whose mean vector has the right noun first: {centroids_right:.3f}.

**Label confidence** is `1 / (1 + exp(-(c - midpoint) / scale))`, where `c` is the best cosine of a concept's vector
over all nouns, with midpoint {midpoint} and scale {scale} (`weights/confidence.json`). The midpoint refuses
{refused:.0%} of the concepts made of held-out pictures of one kind (median of `c`: {known:.2f}); of those made of
many kinds, or of drawn patterns (stripes, rings, noise and the like), it lets {accepted:.0%} pass (median
{foreign:.2f}).
**Labels** follow the evidence of all images of a concept: the mean of their softmaxes over all nouns, of {sharpness:g}
times the cosine. Where no noun has {share:.0%} of it, the most specific of the more general nouns in
`relations.toml` whose nouns together have {general:.0%} is shown ("fruit" for pear, lemon and apple), or none (Deng and
others, 2012). The first share is the least at which {guarantee:.0%} of the concepts made of held-out pictures of one
kind get a true word. **A real thing that the model never saw can still be given the name of the nearest kind that it
knows**: `benchmarks/DEMO_CONTROL.md` says what became of eight kinds in a training without them.

### By kind
Kinds without figures were learnt, but none of their pictures is held out.

| kind | photographs | renders | first | first five | mostly mistaken for |
|---|---|---|---|---|---|
{table}

## Limits
- Names close in meaning (t-shirt, polo, undershirt; sweater, shirt; milk, oat milk, yoghurt) are often confused.
- Groceries were photographed in Swedish shops, on shelves; clothes were laid flat or worn, by few people; waste
  lay on white paper. Other surroundings look foreign to it.
- Words that it was not trained on get a vector, but that says little.
"""


def model_card(
    recipe: Recipe,
    figures: Figures,
    facts: Mapping[str, float],
) -> str:
    """Fill the card.

    Parameters
    ----------
    facts
        Counts of pictures and nouns, size in megabytes, confidence: the card's other fields.
    """
    lines = []
    for word, photos, renders, top1, top5, wrong in figures.rows:
        shares = f"{top1:.2f} | {top5:.2f}" if photos + renders else " | "
        lines.append(f"| {word} | {photos or ''} | {renders or ''} | {shares} | {wrong} |")
    return CARD.format(
        **recipe.as_dict(),
        **facts,
        first_steps=recipe.first_steps,
        guarantee=GUARANTEE,
        general=GENERAL_SHARE,
        related=recipe.synonym_weight + recipe.hypernym_weight,
        n_words=len(figures.rows),
        photo_top1=figures.photo_top1,
        photo_top5=figures.photo_top5,
        render_top1=figures.render_top1,
        centroids_right=figures.centroids_right,
        n_photos=sum(row[1] for row in figures.rows),
        n_held_renders=sum(row[2] for row in figures.rows),
        table="\n".join(lines),
    )
