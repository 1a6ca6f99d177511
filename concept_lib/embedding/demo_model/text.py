"""The tokenizer, and the words and captions that the text tower learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from concept_lib.embedding.demo_model.recipe import Tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
SUFFIX = "</w>"
TEMPLATES = (
    "{}",
    "a {}",
    "a photo of a {}",
    "a picture of a {}",
    "a photo of {}",
    "many {}",
    "a small {}",
    "a close-up of a {}",
    "{} in a shop",
    "the {}",
)


def caption(word: str, rng: np.random.Generator) -> str:
    """Wrap a word in a random template."""
    return TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(word)


def invented_words(words: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Words that mean nothing, the first half of one word and the second of another.

    They teach the text tower that a word which only looks like a label is not that label.

    Examples
    --------
    >>> invented_words(["apple", "tomato"], 1, np.random.default_rng(1))
    ['apato']
    """
    first, second = rng.integers(len(words), size=(2, count))
    made = [
        words[a][: len(words[a]) // 2] + words[b][len(words[b]) // 2 :]
        for a, b in zip(first, second, strict=True)
    ]
    known = set(words)
    return [word for word in made if word not in known]


def train_tokenizer(words: Sequence[str], vocab_size: int) -> Tokenizer:
    """Learn byte-pair merges from the words.

    The vocabulary is large enough for most of the words to become one token each: a word then has a vector of
    its own, and no likeness of spelling (nectarine, nectar) leaks into likeness of meaning. Byte-pair encoding
    after Sennrich et al. 2016, in the layout of CLIP (Radford et al. 2021).

    Parameters
    ----------
    words
        The nouns, in any order; the result does not depend on it.
    vocab_size
        Upper bound on the number of tokens, two special tokens included.

    Returns
    -------
    CLIPTokenizer
        Pads with the end token, truncates at the context length of the model config.
    """
    from tokenizers import pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    backend = CLIPTokenizer().backend_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        min_frequency=1,
        initial_alphabet=alphabet,
        # Left to itself the trainer numbers these in the order of a hash table, and ties fall by number.
        special_tokens=[char + SUFFIX for char in alphabet],
        end_of_word_suffix=SUFFIX,
        show_progress=False,
    )
    corpus = sorted({word.lower() for word in words})
    corpus += [template.format("") for template in TEMPLATES] * 50
    backend.train_from_iterator(corpus, trainer=trainer)
    merges: Any = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    # In CLIP's order: bytes, bytes that end a word, merges, special tokens.
    tokens = [
        *alphabet,
        *(char + SUFFIX for char in alphabet),
        *("".join(pair) for pair in merges),
        START,
        END,
    ]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(dict.fromkeys(tokens))}, merges=merges)


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], context_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and attention mask, int64 (n, longest), padded to the longest text."""
    batch = tokenizer(
        list(texts), padding=True, truncation=True, max_length=context_length, return_tensors="np"
    )
    return batch["input_ids"], batch["attention_mask"]
