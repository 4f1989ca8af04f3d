"""Which computation belongs to which claim: under the published settings, and under the tuned ones."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.claim_values.delta import network_over_constant
from experiments.claim_values.evidence import PRESETS, Condition
from experiments.claim_values.fig09 import (
    radius_zero_is_q_learning,
    speed_up,
    time_falls_faster_than_error_grows,
)
from experiments.claim_values.fig10 import fig10_claim, less_cost, less_time
from experiments.claim_values.levels import (
    after_rises,
    come_to_meet_for_good,
    share_of_slots,
    variation_ratio,
)
from experiments.claim_values.markov import gain_of_a_second_load
from experiments.claim_values.optimizers import adam_over_ftrl
from experiments.claim_values.outcome import Compute
from experiments.claim_values.reductions import largest_reduction, reduction
from experiments.claim_values.surfaces import (
    distance_and_difference,
    from_table,
    order_change,
    too_much_parallelism,
)
from experiments.claim_values.times import minutes, sooner, times_faster

_PLUS, _CAPES, _DEEPRM = "RRL Plus", "CAPES", "DeepRM"
_WIKI, _DYNAMIC = Condition("fig11", "wiki"), Condition("fig11", "dynamic")
_GPU_WIKI = Condition("fig13", "wiki", system="sim_gpu")
_SPEECH = Condition("fig15", "dynamic", "deepspeech2")
_RESNET = Condition("fig15", "dynamic", "inception_resnet_v2")
_GPU = Condition("fig15", "dynamic", system="sim_gpu")
_STRICT = {
    "Inception V3 on the CPU": Condition("fig14", "dynamic"),
    "DeepSpeech V2 on the CPU": Condition("fig14", "dynamic", "deepspeech2"),
    "Inception V3 on the GPU": Condition("fig14", "dynamic", system="sim_gpu"),
}

_REDUCTIONS = {  # claim: condition, baseline of RRL Plus, what is less
    "C022": (_WIKI, _CAPES, "cost_s"),
    "C023": (_WIKI, _DEEPRM, "cost_s"),
    "C024": (_DYNAMIC, _CAPES, "cost_s"),
    "C025": (_DYNAMIC, _DEEPRM, "cost_s"),
    "C026": (Condition("fig12", "wiki", "deepspeech2"), _CAPES, "cost_s"),
    "C027": (Condition("fig12", "wiki", "deepspeech2"), _DEEPRM, "cost_s"),
    "C028": (Condition("fig12", "dynamic", "deepspeech2"), _CAPES, "cost_s"),
    "C029": (Condition("fig12", "dynamic", "deepspeech2"), _DEEPRM, "cost_s"),
    "C030": (_GPU_WIKI, _DEEPRM, "cost_s"),
    "C031": (_GPU_WIKI, _CAPES, "cost_s"),
    "C032": (Condition("fig13", "dynamic", system="sim_gpu"), _CAPES, "cost_s"),
    "C033": (Condition("fig13", "dynamic", system="sim_gpu"), _DEEPRM, "cost_s"),
    "C046": (_SPEECH, _CAPES, "utilisation"),
    "C047": (_SPEECH, _DEEPRM, "utilisation"),
    "C048": (_RESNET, _CAPES, "utilisation"),
    "C049": (_RESNET, _DEEPRM, "utilisation"),
    "C051": (_GPU, _DEEPRM, "utilisation"),
    "C052": (_GPU, _CAPES, "utilisation"),
    "C053": (_GPU, _CAPES, "cost_s"),
    "C054": (_GPU, _CAPES, "violation_percent"),
}


def of_settings(presets: Mapping[str, str]) -> dict[str, Compute]:
    """The claims about RRL Plus, CAPES and DeepRM, of these presets of the three."""
    reductions = {
        claim: reduction(condition, _PLUS, baseline, column, presets)
        for claim, (condition, baseline, column) in _REDUCTIONS.items()
    }
    return reductions | {
        "C001": times_faster(_WIKI, _PLUS, (_CAPES, _DEEPRM), presets),
        "C019": minutes(_WIKI, _PLUS, presets, "settled", "first_passage"),
        "C020": minutes(_WIKI, _DEEPRM, presets, "settled", "first_passage"),
        "C021": minutes(_WIKI, _CAPES, presets, "settled", "first_passage"),
        "C038": largest_reduction(_STRICT, _PLUS, _CAPES, "violation_percent", presets),
        "C039": largest_reduction(_STRICT, _PLUS, _DEEPRM, "violation_percent", presets),
        "C043": minutes(_SPEECH, _DEEPRM, presets, "slo_first", "slo_for_good"),
        "C044": share_of_slots(_SPEECH, _PLUS, presets),
        "C045": after_rises(_SPEECH, _CAPES, presets),
        "C050": come_to_meet_for_good(_RESNET, presets),
        "C068": variation_ratio(_GPU_WIKI, _WIKI, _PLUS, presets),
    }


_RADIUS_TUNED = {"RRL Plus": "rrl_plus_tuned", "RRL": "rrl_tuned"}

PUBLISHED: dict[str, Compute] = of_settings(PRESETS["published"]) | {
    "C014": speed_up(2),
    "C015": speed_up(1),
    "C016": radius_zero_is_q_learning,
    "C017": fig10_claim(less_time),
    "C018": fig10_claim(less_cost),
    "C066": from_table("fig02", too_much_parallelism),
    "C067": from_table("fig03", distance_and_difference),
    "C069": adam_over_ftrl,
    "C070": time_falls_faster_than_error_grows(1, 3),
    "C071": from_table("fig04", order_change),
    "C072": gain_of_a_second_load,
    "C073": network_over_constant,
}
"""Every computed claim. Those about no agent's settings have no tuned value."""

TUNED: dict[str, Compute] = of_settings(PRESETS["tuned"]) | {
    "C017": sooner(_WIKI, "RRL Plus", "RRL", _RADIUS_TUNED),  # the tuned radius of RRL, in Fig. 11's runs,
    "C018": reduction(_WIKI, "RRL Plus", "RRL", "cost_s", _RADIUS_TUNED),  # which are WiKi as Fig. 10's
}
"""The claims that tuning can change."""
