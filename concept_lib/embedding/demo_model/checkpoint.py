"""Training state on disk: one safetensors file, replaced atomically, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_lib.errors import ConceptError
from concept_lib.storage import write_file

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


def save_checkpoint(
    path: Path,
    *,
    step: int,
    identity: str,
    model: nn.Module,
    average: Mapping[str, Tensor],
    optimizers: Mapping[str, Optimizer],
) -> None:
    """Write all that a later process needs to go on after ``step`` steps.

    Parameters
    ----------
    identity
        Digest of recipe and data; a checkpoint of another identity is refused.
    average
        Moving average of the weights, by name.
    """
    from safetensors.torch import save

    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.items()}
    for kind, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{kind}/{index}/{name}": tensor for name, tensor in state.items()}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_file(path, save(tensors, metadata={"step": json.dumps(step), "identity": identity}))


def load_checkpoint(
    path: Path,
    *,
    identity: str,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizers: Mapping[str, Optimizer],
) -> int:
    """Restore a state and return the number of steps done, 0 when there is none.

    Raises
    ------
    ConceptError
        When the checkpoint belongs to another recipe or to other data.
    """
    from safetensors import safe_open

    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        if metadata["identity"] != identity:
            raise ConceptError(
                f"checkpoint of another recipe or other data: {path}; delete it or choose another --work-dir"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model.load_state_dict(_part(tensors, "model"))
    average.update(_part(tensors, "average"))
    for kind, optimizer in optimizers.items():
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in _part(tensors, kind).items():
            index, key = name.split("/", 1)
            state.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(json.loads(metadata["step"]))


def _part(tensors: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    prefix = f"{kind}/"
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
