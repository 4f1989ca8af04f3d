"""Hardware profiles admissible under the paper's published facts: ``python -m experiments.admissible``.

Arguments (key=value): ``count=20``, ``seed=0``, ``target=results/hardware``. Writes ``paper_cpu_00.yaml`` and
so on, and ``paper_cpu.yaml``: the draw nearest to all others, by a rule fixed before any agent was run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from experiments.arguments import parse, refuse
from serving.slot import Slot
from sim.admissible import admissible, as_provenance, hardware, medoid
from workloads.constant import Constant


def _stationary(load_rps: float, seed: int, count: int) -> Sequence[Slot]:
    return tuple(Constant(mean_rps=load_rps).slots(seed, count))


def search(count: int, seed: int, target: Path) -> Path:
    """Draw ``count`` admissible profiles and write them; returns the path of the central one."""
    kept = []
    with tqdm(total=count, desc="admissible profiles") as bar:
        for parameters, facts, drawn in islice(admissible(seed, _stationary), count):
            kept.append((parameters, facts, drawn))
            bar.update()
            bar.set_postfix(draws=drawn)
    target.mkdir(parents=True, exist_ok=True)
    for number, (parameters, facts, drawn) in enumerate(kept):
        name = f"paper_cpu_{number:02d}"
        _write(target / f"{name}.yaml", hardware(name, parameters, as_provenance(facts, seed, drawn)))
    centre = medoid([parameters for parameters, _, _ in kept])
    parameters, facts, drawn = kept[centre]
    provenance = as_provenance(facts, seed, drawn) | {"chosen": f"medoid of {count} admissible draws"}
    path = target / "paper_cpu.yaml"
    _write(path, hardware("paper_cpu", parameters, provenance))
    return path


_HEADER = """\
# Written by `python -m experiments.admissible`; what each number means stands in sim/admissible.py.
# Published facts asked for: 10 cores (Sec. II); best static configuration about 10 x sequential execution
# (Sec. I, Fig. 2), both saturated behind a bounded queue; at 14 requests/s (Fig. 4) a p95 of 235 ms within
# reach (Sec. VI-F), cost smooth from one grid step to the next and versatile over the whole grid (Fig. 3, 4).
# No agent was run.
"""


def _write(path: Path, profile: dict[str, Any]) -> None:
    path.write_text(_HEADER + yaml.safe_dump(profile, sort_keys=False, default_flow_style=None))


if __name__ == "__main__":
    options = parse(sys.argv[1:], {"count": 20, "seed": 0, "target": "results/hardware"})
    for key, least in (("count", 1), ("seed", 0)):
        if options[key] < least:
            refuse(f"{key}={options[key]}, expected an integer >= {least}")
    print(search(options["count"], options["seed"], Path(options["target"])))
