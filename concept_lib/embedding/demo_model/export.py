"""The finished model as a folder that ``SentenceTransformer`` loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from concept_lib.embedding.demo_model.augment import MEAN, STD
from concept_lib.embedding.demo_model.recipe import Network, Tokenizer
from concept_lib.storage import write_file


def export_model(model: Network, tokenizer: Tokenizer, confidence: Mapping[str, float], folder: Path) -> None:
    """Write weights, config, processor, tokenizer and ``confidence.json``.

    Weights are float16 on disk, and the config asks for float32 arithmetic, for float16 is slow on a CPU.
    """
    from safetensors.torch import save
    from transformers import CLIPImageProcessor, CLIPProcessor

    folder.mkdir(parents=True, exist_ok=True)
    vision, text = model.config.vision_config, model.config.text_config
    processor = CLIPImageProcessor(
        size={"shortest_edge": vision.image_size},
        crop_size={"height": vision.image_size, "width": vision.image_size},
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    tokenizer.model_max_length = text.max_position_embeddings
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)  # preprocessor_config.json, which older readers look for
    config = model.config.to_dict() | {"architectures": ["CLIPModel"], "dtype": "float32"}
    for part in ("vision_config", "text_config"):
        config[part]["dtype"] = "float32"
    _write_json(folder / "config.json", config)
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    write_file(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    _write_json(folder / "confidence.json", dict(confidence))


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    write_file(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
