"""What a run is called: by the preset of its agent, unless what tuning found was changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from experiments.cli import CONF

LABELS = ("preset", "settings")
"""Of an agent's settings those that name it; every other key goes to its constructor."""

_WITH = " with "


def labels_of(agent: Mapping[str, Any], file: str) -> dict[str, str]:
    """Preset and settings of an agent, as its rows are labelled.

    With other values than its file's, a tuned preset is not what tuning found: it is called by what differs,
    and nobody who asks for the tuned agent gets its runs. All other presets keep their names, under which
    experiments vary radii, credits and more.

    Args:
        agent: resolved settings, the labels of its file included.
        file: of conf/agent that was chosen.
    """
    labels = {key: agent[key] for key in LABELS if key in agent}
    if labels.get("settings") != "tuned":
        return labels
    shipped = _shipped(file)
    keys = [key for key in {**shipped, **agent} if key not in LABELS]
    changed = [key for key in keys if shipped.get(key, "not set") != agent.get(key, "not set")]
    if not changed:
        return labels
    said = " ".join(f"{key}={agent.get(key)}" for key in changed)
    return {"preset": f"{labels['preset']}{_WITH}{said}", "settings": "changed"}


def file_of(preset: str) -> str:
    """Name of the file in conf/agent that a preset's label stems from."""
    return preset.partition(_WITH)[0]


@cache
def _shipped(file: str) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(OmegaConf.load(CONF / "agent" / f"{file}.yaml"), resolve=False)
    return {str(key): value for key, value in content.items()}
