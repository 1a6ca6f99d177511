"""Tiny models with random weights: real files, loaded the real way."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGE_SIZE = 32
DIM = 24
POSITIONS = 16


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a CLIPModel with tokenizer and processor, as transformers writes it."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer

    from concept_lib.embedding.quiet import quiet_libraries

    folder = tmp_path_factory.mktemp("models") / "tiny_clip"
    with quiet_libraries():
        from transformers.models.clip import CLIPImageProcessor

        tokenizer = CLIPTokenizer(vocab=_vocabulary(), merges=[("c", "a"), ("ca", "t</w>")])
        tower = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        }
        special = {
            f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")
        }
        text = {**tower, **special, "vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS}
        vision = {**tower, "image_size": IMAGE_SIZE, "patch_size": 8}
        torch.manual_seed(0)
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM))
        pixels = CLIPImageProcessor(
            size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
        )
        model.save_pretrained(folder)
        CLIPProcessor(image_processor=pixels, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def old_clip(tiny_clip: Path) -> Path:
    """The same model in the layout of sentence-transformers' clip-ViT-B-32, files of 2021 and all."""
    import torch
    from safetensors.torch import load_file

    folder = tiny_clip.parent / "old_clip"
    inner = folder / "0_CLIPModel"
    inner.mkdir(parents=True)
    module = {"idx": 0, "name": "0", "path": inner.name, "type": "sentence_transformers.models.CLIPModel"}
    processor = json.loads((tiny_clip / "processor_config.json").read_text())["image_processor"]
    processor |= {
        "size": IMAGE_SIZE,
        "crop_size": IMAGE_SIZE,
        "feature_extractor_type": "CLIPFeatureExtractor",
    }
    del processor["image_processor_type"]
    config = json.loads((tiny_clip / "config.json").read_text())
    config["torch_dtype"] = config.pop("dtype")
    words = json.loads((tiny_clip / "tokenizer.json").read_text())["model"]
    files = {
        folder / "modules.json": [module],
        folder / "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "2.0.0"}},
        inner / "config.json": config,
        inner / "preprocessor_config.json": processor,
        inner / "vocab.json": words["vocab"],
        inner / "tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77},
    }
    for path, content in files.items():
        path.write_text(json.dumps(content))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in words["merges"]]
    (inner / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    torch.save(load_file(tiny_clip / "model.safetensors"), inner / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="session")
def dual_encoder(tiny_clip: Path) -> Path:
    """Folder of a VisionTextDualEncoderModel: a ViT and a BERT."""
    import torch
    from transformers import (
        BertConfig,
        BertTokenizer,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
        VisionTextDualEncoderProcessor,
        ViTConfig,
    )

    from concept_lib.embedding.quiet import quiet_libraries

    folder = tiny_clip.parent / "dual_encoder"
    with quiet_libraries():
        from transformers import ViTImageProcessor

        tokenizer = BertTokenizer(vocab=_wordpieces())
        vision = ViTConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=IMAGE_SIZE,
            patch_size=8,
        )
        config = VisionTextDualEncoderConfig.from_vision_text_configs(
            vision, BertConfig(**_bert()), projection_dim=DIM
        )
        torch.manual_seed(1)
        VisionTextDualEncoderModel(config).save_pretrained(folder)
        pixels = ViTImageProcessor(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE})
        VisionTextDualEncoderProcessor(image_processor=pixels, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def text_towers(tiny_clip: Path) -> dict[int, Path]:
    """Models of words alone, BERT with pooling and a dense layer: by the length of their vectors."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    from concept_lib.embedding.quiet import quiet_libraries

    folders = {}
    with quiet_libraries():
        plain = tiny_clip.parent / "bert"
        torch.manual_seed(2)
        BertModel(BertConfig(**_bert())).save_pretrained(plain)
        BertTokenizer(vocab=_wordpieces(), model_max_length=POSITIONS).save_pretrained(plain)
        for dim in (DIM, DIM + 1):
            words = Transformer(str(plain))
            modules = [
                words,
                Pooling(32),
                Dense(32, dim, bias=False, activation_function=torch.nn.Identity()),
            ]
            folders[dim] = tiny_clip.parent / f"text_tower_{dim}"
            SentenceTransformer(modules=modules, device="cpu").save(
                str(folders[dim]), create_model_card=False
            )
    return folders


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Noise of several shapes, each with the shorter side that the tiny models take."""
    random = np.random.default_rng(0)
    shapes = [(32, 32), (32, 50), (61, 32), (32, 128), (32, 33), (40, 32)]
    return [Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


def _vocabulary() -> dict[str, int]:
    """Letters, letters that end a word, two merges and CLIP's two special tokens."""
    letters = string.ascii_lowercase
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>"]
    return {token: i for i, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}


def _wordpieces() -> dict[str, int]:
    letters = string.ascii_lowercase
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    return {token: i for i, token in enumerate(tokens)}


def _bert() -> dict[str, int]:
    return {
        "vocab_size": len(_wordpieces()),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": POSITIONS,
    }
