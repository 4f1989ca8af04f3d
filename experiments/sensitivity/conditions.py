"""The conditions of the study: one choice that the paper leaves open, changed from the base."""

from __future__ import annotations

from dataclasses import dataclass

PUBLISHED = ("rrl_plus_paper", "capes_published", "deeprm")
TUNED = ("rrl_plus_tuned", "capes_tuned", "deeprm_tuned")
FIXED = "rrl_paper"
RRL = (PUBLISHED[0], FIXED)
"""Whose own settings are varied. Those of tuned agents are not open: tuning has chosen them."""

_RRL_ALL = (*RRL, TUNED[0])


@dataclass(frozen=True)
class Condition:
    """A row of the figure.

    Attributes:
        choice: which choice is changed; empty for the base.
        name: what it is changed to.
        overrides: of hydra, on top of a claim's own; ``{model}`` stands for the claim's model.
        concerns: presets whose runs it changes, all others are those of the base; empty for all presets.
    """

    choice: str
    name: str
    overrides: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()

    def changes(self, preset: str) -> bool:
        """Whether runs of this preset differ from those of the base."""
        return bool(self.overrides) and (not self.concerns or preset in self.concerns)


BASE = Condition("", "base")

# conf/hardware/admissible: number 9 is the base (paper_cpu), number 20 is set aside for tuning.
_HARDWARE = tuple(
    Condition("hardware profile", f"nested {number:02d}", (f"hardware=admissible/{{model}}_{number:02d}",))
    for number in range(1, 20)
    if number != 9
)
_SHARED = tuple(
    Condition("interference", f"shared, {name}", (f"hardware={profile}",))
    for name, profile in [
        ("central", "paper_cpu_shared_pool"),
        *((f"{number:02d}", f"admissible/{{model}}_shared_pool_{number:02d}") for number in (1, 2)),
    ]
)


def _vary(
    choice: str, key: str, values: dict[str, object], concerns: tuple[str, ...] = ()
) -> list[Condition]:
    return [Condition(choice, name, (f"{key}={value}",), concerns) for name, value in values.items()]


# The settings of conf/agent/rrl_paper_nn.yaml.
_NETWORK = (
    "{steps:40,batch:64,optimizer:ftrl,learning_rate:0.1,"
    "initial_accumulator:0.1,centred:true,zero_distance:raw}"
)

CONDITIONS: tuple[Condition, ...] = (
    BASE,
    *_HARDWARE,
    *_SHARED,
    *_vary(
        "queue",
        "system.boundary",
        {"without a limit": "carry", "dropped after a slot": "drop", "empty at first": "episodic"},
    ),
    *_vary("slot length", "slot_s", {"14 s": 14, "60 s": 60, "300 s": 300}),
    *_vary("lost request", "objective.penalty_s", {"counts 1 s": 1, "counts 20 s": 20}),
    *_vary("servers", "servers", {"10": 10}),
    *_vary("load seen", "load_seen", {"of this slot": "current"}),
    *_vary("load bins", "load_bins", {"1": 1, "5": 5, "20": 20}, _RRL_ALL),
    *_vary(
        "first configuration",
        "start",
        {"(0, 0, 0)": "[0,0,0]", "(5, 5, 5)": "[5,5,5]"},
    ),
    *_vary("busy-waiting", "hardware.models.{model}.spinning", {"none": 0.0, "half": 0.5, "all": 1.0}),
    *_vary("distance of 0", "agent.zero_distance", {"effective": "effective"}, RRL),
    Condition("first Q", "first cost", ("agent.init=first_cost",), RRL),
    Condition("first Q", "pessimistic, 5 s", ("agent.init=pessimistic", "++agent.init_value=5.0"), RRL),
    *_vary("step size", "agent.alpha_exponent", {"exponent 0.55": 0.55, "exponent 1": 1.0}, RRL),
    *_vary("step size", "++agent.alpha", {"constant 0.3": 0.3}, RRL),
    *_vary("beta", "agent.beta", {"5": 5.0, "80": 80.0}, RRL),
    Condition("beta", "100, unit-free", ("agent.policy=unit_free", "agent.beta=100.0"), RRL),
    *_vary("discount", "agent.gamma", {"0": 0.0, "0.5": 0.5, "0.99": 0.99}, RRL),
    *(
        Condition(
            "estimator",
            name,
            (f"agent.estimator={estimator}", f"++agent.estimator_settings={_NETWORK}"),
            RRL,
        )
        for name, estimator in (("network, anchored", "nn_anchored"), ("network", "nn"))
    ),
)
"""The base first, then one choice after the other.

The base: ``sim_cpu``, ``paper_cpu``, the queue bounded and carried over, slots of 120 s, a lost request
counts 5 s, one server, the load of the previous slot in 10 bins, and the agents' presets.
"""
