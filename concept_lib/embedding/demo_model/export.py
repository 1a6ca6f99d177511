"""The finished model as a folder that ``SentenceTransformer`` loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from concept_lib.embedding.demo_model.augment import MEAN, STD
from concept_lib.embedding.demo_model.model import PRODUCT_HEAD
from concept_lib.embedding.demo_model.recipe import Network, Tokenizer
from concept_lib.embedding.model_files import Calibration
from concept_lib.storage import write_file


def export_model(model: Network, tokenizer: Tokenizer, confidence: Calibration, folder: Path) -> None:
    """Write weights, config, processor, tokenizer and ``confidence.json``.

    Weights are float16 on disk, and the config asks for float32 arithmetic, for float16 is slow on a CPU.
    """
    from safetensors.torch import save
    from transformers import CLIPImageProcessor, VisionTextDualEncoderProcessor

    folder.mkdir(parents=True, exist_ok=True)
    side = model.config.vision_config.image_size
    processor = CLIPImageProcessor(
        size={"height": side, "width": side}, do_center_crop=False, image_mean=list(MEAN), image_std=list(STD)
    )
    tokenizer.model_max_length = model.config.text_config.max_position_embeddings
    pair = VisionTextDualEncoderProcessor(processor, tokenizer)  # type: ignore[no-untyped-call]
    pair.save_pretrained(folder)
    processor.save_pretrained(folder)  # preprocessor_config.json, which older readers look for
    config = model.config.to_dict() | {"architectures": ["VisionTextDualEncoderModel"], "dtype": "float32"}
    for part in ("vision_config", "text_config"):
        config[part]["dtype"] = "float32"
    _write_json(folder / "config.json", config)
    tensors = {
        name: tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith(PRODUCT_HEAD)
    }
    write_file(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    _write_json(folder / "confidence.json", asdict(confidence))


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    write_file(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
