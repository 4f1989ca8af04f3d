"""Hardware profiles admissible under the paper's published facts: ``python -m experiments.admissible``.

Arguments (key=value): ``service=all`` or one of those in ``sim.admissible``, ``count=20``, ``seed=0``,
``target=results/hardware``. Writes ``admissible/<service>_01.yaml`` and so on, the last of them set aside for
tuning agents, and the service's part of ``paper_cpu.yaml``, ``paper_gpu.yaml`` or
``paper_cpu_shared_pool.yaml``: among the others the draw nearest to all, a rule that knows of no agent.
``target=conf/hardware`` rewrites the profiles shipped there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from experiments.arguments import parse, refuse
from serving.slot import Slot
from sim.admissible import SERVICES, Admissible, admissible, medoid
from sim.admissible_facts import hardware
from sim.exhaustive import StationaryWorkload
from sim.services import Service
from workloads.constant import Constant
from workloads.sizes import RequestSizes


def stationary(service: Service) -> StationaryWorkload:
    """Slots of constant loads with the request sizes of a service, each kept for the next candidate."""

    @cache
    def slots(load_rps: float, seed: int, count: int) -> Sequence[Slot]:
        return tuple(Constant(mean_rps=load_rps, sizes=RequestSizes(service.sizes)).slots(seed, count))

    return slots


def search(service: Service, count: int, seed: int, target: Path) -> Path:
    """Draw and write ``count`` admissible profiles; returns the path of the one with the central draw."""
    kept: list[Admissible] = []
    with tqdm(total=count, desc=f"admissible profiles of {service.name}") as bar:
        for one in islice(admissible(service, seed, stationary(service)), count):
            kept.append(one)
            bar.update()
            bar.set_postfix(draws=one.drawn)
    (target / "admissible").mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(kept, start=1):
        name = f"{service.name}_{number:02d}"
        profile = hardware(service, one.parameters, name) | {"provenance": _drawn(one, seed)}
        header = _TUNING if number == count else _HEADER
        _write(target / "admissible" / f"{name}.yaml", header, profile)
    return _write_central(service, kept[:-1], seed, target)


def _write_central(service: Service, kept: Sequence[Admissible], seed: int, target: Path) -> Path:
    """Put the medoid into the processor's profile, and leave its other models as they are."""
    path = target / f"{service.profile}.yaml"
    before = yaml.safe_load(path.read_text()) if path.exists() else {}
    centre = medoid(service.ranges, [one.parameters for one in kept])
    profile = hardware(service, kept[centre].parameters, path.stem)
    provenance = {
        "source": "drawn from stated physical ranges, kept because all facts hold (sim/services_*.py)",
        "chosen": f"number {centre + 1}, the medoid of {len(kept)} admissible draws",
    }
    provenance |= _drawn(kept[centre], seed) | service.as_yaml()
    for part, value in (("models", profile["models"]), ("provenance", {service.model: provenance})):
        merged = before.get(part, {}) | value
        profile[part] = {one.model: merged[one.model] for one in SERVICES.values() if one.model in merged}
    _write(path, _CENTRAL, profile)
    return path


def _drawn(one: Admissible, seed: int) -> dict[str, Any]:
    facts = {key: float(f"{value:.4g}") for key, value in one.facts.items()}
    return {"seed": seed, "draws": one.drawn, "facts": facts}


_HEADER = """\
# Written by `python -m experiments.admissible`: one of the draws that meet the paper's published facts.
# Ranges and facts stand in sim/services_cpu.py and sim/services_gpu.py.
"""
_TUNING = _HEADER + "# Set aside for tuning agents: no figure uses it.\n"
_CENTRAL = """\
# Written by `python -m experiments.admissible`; what each number means stands in sim/services_cpu.py and
# sim/services_gpu.py. Fitted to published facts only; no agent was run. Each model was drawn by itself.
"""


def _write(path: Path, header: str, profile: dict[str, Any]) -> None:
    path.write_text(header + yaml.safe_dump(profile, sort_keys=False, default_flow_style=None, width=100))


if __name__ == "__main__":
    defaults = {"service": "all", "count": 20, "seed": 0, "target": Path("results/hardware")}
    options = parse(sys.argv[1:], defaults, __doc__ or "")
    if options["service"] not in ("all", *SERVICES):
        refuse(f"service={options['service']} is not known, choose from {['all', *SERVICES]}")
    for key, least in (("count", 2), ("seed", 0)):
        if options[key] < least:
            refuse(f"{key}={options[key]}, expected an integer >= {least}")
    chosen = SERVICES if options["service"] == "all" else {options["service"]: SERVICES[options["service"]]}
    for service in chosen.values():
        print(search(service, options["count"], options["seed"], options["target"]))
