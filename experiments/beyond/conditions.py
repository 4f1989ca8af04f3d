"""The conditions and the agents of the evidence, and the overrides that make their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.claim_values.evidence import Condition
from experiments.sweep_commands import Overrides

GAUSSIAN = ("gp", "gp_lcb", "gp_safe")
RIVALS = ("linucb", "aimd", "optuna", "serf", "packrat")
STABLE_BASELINES = ("sb3_dqn", "sb3_ppo")  # rivals, too, but only some install PyTorch
TUNED = ("rrl_plus_tuned", "rrl_tuned", "q_learning_tuned", "deeprm_tuned", "capes_tuned")
TABLED = "gp_tables_prepared"  # is handed the exhaustive tables of eight simulators
PREPARED = {
    "gp_prepared": "gp",
    "gp_safe_prepared": "gp_safe",
    TABLED: "gp",
    "rrl_plus_tuned_prepared": "rrl_plus_tuned",
}
"""Presets of agents that are prepared in simulators of other machines, by what runs tell them apart by."""
FROM_SCRATCH = (*GAUSSIAN, *RIVALS, *STABLE_BASELINES, *TUNED)
LEARNERS = (*FROM_SCRATCH, *PREPARED)
DEFAULT, ORACLE = "tf_default", "oracle"
TRUTHFUL = ("static_best", ORACLE)  # know the exhaustive table
AGENTS = (*LEARNERS, DEFAULT, *TRUTHFUL)

_MACHINES = (
    "conf/hardware/admissible/{}_{:02}.yaml"  # fitted to the same facts: no condition uses any of them
)
_OTHER_MACHINE = (20,)  # set aside for tuning agents
_SEVERAL_MACHINES = range(10, 18)  # the first eight in a row without those that conditions run on
_CPU_ONLY = ("packrat",)  # plans threads


@dataclass(frozen=True)
class Case:
    """A condition under which all agents are compared.

    Attributes:
        title: for readers.
        condition: whose runs count.
        unseen: whether nobody tuned on it; else it is one of the paper's.
    """

    title: str
    condition: Condition
    unseen: bool = False

    @property
    def agents(self) -> tuple[str, ...]:
        """The presets that can play under it."""
        gpu = self.condition.system == "sim_gpu"
        return tuple(one for one in AGENTS if not (gpu and one in _CPU_ONLY))

    def overrides(self, agent: str) -> Overrides:
        """What makes an agent's runs."""
        where = self.condition
        told: Overrides = ("truth=true",) if where.experiment == "fig14" and agent in TRUTHFUL else ()
        if agent == TABLED:
            cells = "agent.most_cells=100"  # a decision looks at two loads, as in gp_safe
            told = f"agent.preset={agent}", cells, self._machines(_SEVERAL_MACHINES), "pretrain.table=true"
        elif agent in PREPARED:
            told = f"agent.preset={agent}", self._machines(_OTHER_MACHINE)
        return (
            f"experiment={where.experiment}",
            f"model={where.model}",
            f"system={where.system}",
            f"workload={where.workload}",
            f"agent={PREPARED.get(agent, agent)}",
            *told,
        )

    def _machines(self, numbers: Sequence[int]) -> str:
        """Machines like that of the condition, fitted to the same facts, but not that one."""
        gpu = "_gpu" if self.condition.system == "sim_gpu" else ""
        files = [_MACHINES.format(f"{self.condition.model}{gpu}", number) for number in numbers]
        return f"pretrain.file={files[0] if len(files) == 1 else '[' + ','.join(files) + ']'}"


def _paper() -> list[Case]:
    inception, speech, resnet = "inception_v3", "deepspeech2", "inception_resnet_v2"
    cpu, gpu = "sim_cpu", "sim_gpu"
    settings = [("fig11", inception, cpu), ("fig12", speech, cpu), ("fig13", inception, gpu)]
    both = [
        Case(f"{_figure(figure)}, {name}", Condition(figure, workload, model, system))
        for figure, model, system in settings
        for name, workload in (("WiKi", "wiki"), ("Dynamic", "dynamic"))
    ]
    alone = [
        ("fig14", "Inception V3", inception, cpu),
        ("fig14", "Deep Speech 2", speech, cpu),
        ("fig14", "GPU", inception, gpu),
        ("fig15", "Deep Speech 2", speech, cpu),
        ("fig15", "Inception-ResNet V2", resnet, cpu),
        ("fig15", "GPU", inception, gpu),
    ]
    return both + [
        Case(f"{_figure(figure)}, {name}", Condition(figure, "dynamic", model, system))
        for figure, name, model, system in alone
    ]


def _figure(name: str) -> str:
    return f"Fig. {int(name.removeprefix('fig'))}"


def _unseen(title: str, name: str, workload: str = "dynamic", system: str = "sim_cpu") -> Case:
    return Case(title, Condition(f"general_{name}", workload, system=system), unseen=True)


CASES: tuple[Case, ...] = (
    *_paper(),
    _unseen("shared thread pools", "interference"),
    _unseen("spiky trace", "trace", workload="wiki"),
    _unseen("flash crowd", "flash_crowd", workload="flash_crowd"),
    _unseen("abrupt drift", "abrupt_drift", system="sim_cpu_changing"),
    _unseen("slow drift", "slow_drift", system="sim_cpu_changing"),
    _unseen("lost cores", "lost_cores", system="sim_cpu_changing"),
)
"""Every condition of the paper's evaluation with bounded slots, then those that nobody tuned on."""
