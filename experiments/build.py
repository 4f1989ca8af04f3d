"""From settings to objects: the only place where hydra's configuration meets the packages below."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from agents.background import BackgroundAgent
from experiments.check import check_settings
from experiments.cli import CONF
from experiments.identity import NOT_ROWS
from experiments.preset_labels import LABELS, file_of, labels_of
from serving.agent import Agent
from serving.configuration import Configuration, ConfigurationSpace
from serving.cost_table import Truth
from serving.environment import ServingEnv
from serving.errors import UsageError
from serving.system import ServingSystem

_AGENT_STREAM = 0x_A6E_17  # keeps the agent's random numbers apart from those of the workload
_START_STREAM = 0x_57A_27  # and the first configuration, which is the same for all agents, from both
_PRETRAINING_STREAM = 0x_9E7_7A1  # and those of pretraining apart from the run's
_BY_NAME_ALONE = ("cost_table", "true_load_rps", "simulate", "foretold")  # not to who takes just anything


def resolve(config: DictConfig, choices: Mapping[str, str]) -> dict[str, Any]:
    """Plain, checked settings of a run, with the hardware profile that ``hardware.file`` names read in.

    Args:
        config: as hydra composed it.
        choices: chosen file of each config group.

    Raises:
        UsageError: for a setting that makes no sense.
    """
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    check_settings(plain, CONF, choices)
    plain["agent"] |= labels_of(plain["agent"], choices["agent"])
    if plain["pretrain"]["file"] is None:
        del plain["pretrain"]  # a run without it is the run it was before there was such a setting
    elif not plain["pretrain"]["table"]:
        del plain["pretrain"]["table"]  # likewise
    hardware_file = plain["hardware"].pop("file", None)
    if hardware_file is not None:
        _refuse_lost_overrides(plain["hardware"], choices["hardware"], hardware_file)
        plain["hardware"] = read_profile(Path(hardware_file), "hardware.file")
    return plain


def _refuse_lost_overrides(hardware: Mapping[str, Any], choice: str, hardware_file: str) -> None:
    """A file replaces the whole profile: what was set beside it would be lost without a word."""
    shipped = read_yaml(CONF / "hardware" / f"{choice}.yaml", "hardware")
    for key, value in hardware.items():
        if value != shipped.get(key):
            raise UsageError(
                f"hardware.{key}={value} beside hardware.file={hardware_file}, expected one of both: "
                "the file is the whole profile"
            )


def read_yaml(path: Path, key: str) -> dict[str, Any]:
    """A hardware profile's file, named by the setting ``key``.

    Raises:
        UsageError: if it cannot be read, or holds no mapping.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except OSError as error:
        raise UsageError(f"{key}={path}: {error.strerror}, expected a readable YAML file") from None
    except Exception as error:
        raise UsageError(f"{key}={path}: {' '.join(str(error).split())}, expected a YAML mapping") from None
    if not isinstance(content, dict):
        raise UsageError(f"{key}={path}: holds no mapping, expected a hardware profile as in conf/hardware")
    return {str(name): value for name, value in content.items()}


def read_profile(path: Path, key: str) -> dict[str, Any]:
    """The same, of a file that a user names.

    Raises:
        UsageError: if it cannot be read, holds no mapping, or has something in it that hydra would call.
    """
    profile = read_yaml(path, key)
    if "_target_" in str(profile):
        raise UsageError(f"{key}={path}: has a _target_, expected a hardware profile as in conf/hardware")
    return profile


def row_settings(plain: dict[str, Any], env: ServingEnv) -> dict[str, Any]:
    """The settings that decide what the rows hold; a trace counts by its content, not by its path."""
    kept = {key: value for key, value in plain.items() if key not in NOT_ROWS}
    kept["hardware"] = profile_of(plain)
    kept["table"] = {key: plain["table"][key] for key in ("load_rps", "relative_error", "most_batches")}
    series = getattr(env.workload, "series", None)
    if series is not None:
        digest = hashlib.sha256(series.rate_rps.tobytes()).hexdigest()
        kept["workload"] = plain["workload"] | {"trace": [series.bin_s, digest]}
    if plain["table"]["measured"] is not None and agent_wants(plain, "cost_table"):
        kept["table"]["measured"] = file_hash(plain["table"]["measured"])
    if "pretrain" in plain:
        hashes = [file_hash(file) for file in profile_files(plain)]
        kept["pretrain"] = plain["pretrain"] | {"file": hashes if len(hashes) > 1 else hashes[0]}
        if takes_table(plain):
            del kept["pretrain"]["slots"]  # none is played
    kept["agent_source"] = _source_outside(agent_class(plain))
    return kept


def profile_files(plain: Mapping[str, Any]) -> list[str]:
    """Files of the simulators in which an agent is prepared."""
    named = plain["pretrain"]["file"]
    return list(named) if isinstance(named, list) else [named]


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's content; of a file that is not there, a word."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "missing"


def _source_outside(agent: type) -> str | None:
    """Hash of the file of a user's own agent, which a change makes another agent; None for ours."""
    file = Path(inspect.getfile(agent)).resolve()
    ours = file.is_relative_to(CONF.parent / "agents")
    return None if ours else hashlib.sha256(file.read_bytes()).hexdigest()


def workload_label(plain: dict[str, Any]) -> str:
    """Name of the workload in the rows; a replayed trace is named, so that its rows stand apart."""
    trace = plain["workload"].get("trace")
    name: str = plain["workload"]["name"]
    return f"{name}:{Path(trace).name}" if trace else name


def is_simulated(plain: Mapping[str, Any]) -> bool:
    """Whether the settings describe a simulated system."""
    return str(plain["system"]["_target_"]).startswith("sim.")


def profile_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The hardware profile without its provenance, which is most of it, and changes nothing."""
    return {key: value for key, value in plain["hardware"].items() if key != "provenance"}


def build_system(plain: dict[str, Any]) -> ServingSystem:
    """The serving system that the settings describe."""
    system: ServingSystem = instantiate(
        plain["system"],
        hardware=profile_of(plain),
        model=plain["model"]["name"],
        slo_s=plain["objective"]["slo_s"],
        _convert_="all",
    )
    return system


def build_env(plain: dict[str, Any], system: ServingSystem | None = None) -> ServingEnv:
    """The environment that the settings describe, around this system where one is given."""
    return ServingEnv(
        system=system or build_system(plain),
        workload=instantiate(plain["workload"], _convert_="all"),
        objective=instantiate(plain["objective"], _convert_="all"),
        slots=plain["slots"],
        load_seen=plain["load_seen"],
        load_bins=plain["load_bins"],
    )


def agent_class(plain: dict[str, Any]) -> type:
    """The agent's class.

    Raises:
        UsageError: if it is not set, cannot be imported, or is no class with ``act`` and ``learn``.
    """
    target = plain["agent"].get("_target_")
    if target in (None, "???"):
        raise UsageError(
            "agent._target_ is not set, expected the class of your agent, e.g. my_module.MyAgent"
        )
    try:
        found = get_object(target)
    except (ImportError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"agent._target_={target} cannot be imported: {reason}") from None
    if not (isinstance(found, type) and hasattr(found, "act") and hasattr(found, "learn")):
        raise UsageError(f"agent._target_={target}, expected a class with the methods act and learn")
    return found


def agent_wants(plain: dict[str, Any], name: str) -> bool:
    """Whether the agent's constructor asks for ``name``; ``**others`` asks for no truth and no simulator."""
    parameters = inspect.signature(agent_class(plain)).parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return name in parameters or (takes_all and name not in _BY_NAME_ALONE)


def takes_table(plain: Mapping[str, Any]) -> bool:
    """Whether the agent is handed a simulator's table instead of playing simulated slots."""
    asked = bool(plain.get("pretrain", {}).get("table"))
    return asked and agent_wants(dict(plain), "foretold")


def simulator(plain: dict[str, Any]) -> Callable[[int], ServingEnv]:
    """Makes simulated environments like the run's, for agents that are trained before it.

    An environment is ready for ``reset()``, again and again. Those of the same seed meet the same requests,
    those of another seed, and the run itself, meet others (of the same rates, where a trace is replayed).
    On a system that is not simulated the maker raises a UsageError.
    """

    def simulate(seed: int) -> ServingEnv:
        if not is_simulated(plain):
            raise UsageError(
                f"agent={plain['agent'].get('preset')}: pretraining needs a simulator, "
                f"not {plain['system']['_target_']}"
            )
        env = build_env(plain)
        stream = np.random.SeedSequence([plain["seed"], _PRETRAINING_STREAM, seed])
        env.reset(seed=int(stream.generate_state(1)[0]))  # later resets without a seed go on from here
        return env

    return simulate


def first_configuration(plain: Mapping[str, Any], space: ConfigurationSpace) -> Configuration:
    """What every learning agent plays first: the setting ``start``, or a draw that depends on the seed alone.

    Raises:
        UsageError: if it is not on the grid.
    """
    start = plain["start"]
    if start is None:
        rng = np.random.default_rng(np.random.SeedSequence([plain["seed"], _START_STREAM]))
        return space.configurations[int(rng.integers(space.size))]
    try:
        return space.configurations[space.index(start)]
    except UsageError as error:
        raise UsageError(f"start={start}: {error}") from None


def build_agent(plain: dict[str, Any], env: ServingEnv, table: Callable[[], Truth | None]) -> Agent:
    """The agent, handed by name whatever its constructor asks for of what is on offer.

    On offer: ``space``, ``rng``, ``start`` (configuration of the first slot), ``load_levels`` (number of load
    bins), ``max_load_rps`` (upper end of the bins), ``slo_s`` (latency objective), ``simulate`` (see
    ``simulator``), ``foretold`` (the tables of the simulators that ``pretrain`` names, None without), and for
    reference agents ``cost_table`` and ``true_load_rps`` (of every slot). With ``learning=background`` it
    learns beside serving.
    """
    offered: dict[str, Any] = {
        "space": env.system.space,
        "rng": np.random.default_rng(np.random.SeedSequence([plain["seed"], _AGENT_STREAM])),
        "start": first_configuration(plain, env.system.space),
        "load_levels": plain["load_bins"],
        "max_load_rps": env.workload.max_load_rps,
        "slo_s": env.objective.slo_s,
        "simulate": simulator(plain),
    }
    if agent_wants(plain, "true_load_rps"):
        slots = env.workload.slots(plain["seed"], plain["slots"])
        offered["true_load_rps"] = np.array([slot.true_load_rps for slot in slots])
    if agent_wants(plain, "cost_table"):
        offered["cost_table"] = table()
        if offered["cost_table"] is None:
            preset = plain["agent"].get("preset")
            raise UsageError(
                f"agent={preset} needs the costs of all configurations: truth=true on a "
                "simulated system, table.measured=FILE on a real one"
            )
    settings = {key: value for key, value in plain["agent"].items() if key not in LABELS}
    offered["foretold"] = None
    for key in (*offered, "true_load_rps", "cost_table"):
        if key in settings:
            instead = f"; start={settings[key]} is a setting of the run" if key == "start" else ""
            raise UsageError(
                f"agent.{key}={settings[key]} is not a setting: agents are handed it by the run{instead}"
            )
    wanted = {key: value for key, value in offered.items() if agent_wants(plain, key)}
    try:
        inspect.signature(agent_class(plain)).bind(
            **{key: value for key, value in (settings | wanted).items() if key != "_target_"}
        )
    except TypeError as error:
        raise UsageError(f"agent={settings['_target_']}: {error}") from None
    if "foretold" in wanted:
        from experiments.pretraining import foretold

        wanted["foretold"] = foretold(plain)  # the last of all: a mistake should not cost the minute it takes
    # Partial: hydra would turn the records on offer into dictionaries.
    agent: Agent = _made(instantiate(settings, _partial_=True, _convert_="all"), wanted, plain)
    return BackgroundAgent(agent) if plain["learning"] == "background" else agent


def _made(make: Callable[..., Agent], wanted: Mapping[str, Any], plain: Mapping[str, Any]) -> Agent:
    """The agent; what its constructor did not check itself is one line that names what was set.

    Raises:
        UsageError: if one of our agents cannot be made. Errors of a user's own are left as they are.
    """
    try:
        return make(**wanted)
    except (TypeError, ValueError, AttributeError, MemoryError) as error:
        if _source_outside(agent_class(dict(plain))) is not None:
            raise
        preset = plain["agent"].get("preset")
        shipped = read_yaml(CONF / "agent" / f"{file_of(preset)}.yaml", "agent") if preset else {}
        changed = [
            f"agent.{key}={value}"
            for key, value in plain["agent"].items()
            if key not in LABELS and shipped.get(key) != value
        ]
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"{' '.join(changed) or f'agent={preset}'}: the agent cannot be made: {reason}"
        ) from None
