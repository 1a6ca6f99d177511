"""A CLIP of the very size of ViT-B/32 with random weights: what it computes is noise, and takes the same time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

VISION: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "initializer_factor": 2.0,  # with 1 all images get nearly the same vector; so they differ as CLIP's do
}
TEXT: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "vocab_size": 49_408,
}
PROJECTION = 512
MERGES = 8000
"""Of the tokenizer, learnt on the bundled nouns: enough that a noun is two tokens or three, as CLIP has it."""


def write_clip(
    folder: Path, *, vision: dict[str, Any] = VISION, text: dict[str, Any] = TEXT, dim: int = PROJECTION
) -> Path:
    """Write a model folder as transformers does, unless it is there.

    Parameters
    ----------
    folder
        Gets configuration, weights, tokenizer and processor.
    vision, text, dim
        Sizes of the towers and of a vector.

    Returns
    -------
    Path
        The folder.
    """
    if folder.is_dir():
        return folder
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer

    from concept_lib.embedding.quiet import quiet_libraries
    from concept_lib.vocabulary import load_vocabulary

    aside = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(aside, ignore_errors=True)
    with quiet_libraries():
        from transformers.models.clip import CLIPImageProcessor

        names, merges = _tokens(load_vocabulary("nouns").words)
        tokenizer = CLIPTokenizer(
            vocab=names, merges=merges, model_max_length=text["max_position_embeddings"]
        )
        special = {
            f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")
        }
        config = CLIPConfig(text_config=text | special, vision_config=vision, projection_dim=dim)
        side = vision["image_size"]
        processor = CLIPImageProcessor(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            CLIPModel(config).save_pretrained(aside)
        both = CLIPProcessor(image_processor=processor, tokenizer=tokenizer)  # type: ignore[no-untyped-call]
        both.save_pretrained(aside)
    aside.rename(folder)
    return folder


def _tokens(nouns: Iterable[str]) -> tuple[dict[str, int], Any]:
    """Vocabulary and merges of byte-pair encoding (Sennrich, Haddow, Birch 2016), learnt on the nouns."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner: Any = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGES, end_of_word_suffix="</w>", show_progress=False, special_tokens=[]
    )
    learner.train_from_iterator(list(nouns), trainer)
    learnt = json.loads(learner.to_str())["model"]
    names = {**learnt["vocab"]}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        names[special] = len(names)
    return names, [tuple(pair) for pair in learnt["merges"]]
