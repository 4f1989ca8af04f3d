"""The shipped profiles are what they say: drawn from the stated ranges, meeting the published facts."""

import numpy as np
import pytest
from paper_profiles import NAMES, parameters, profile, provenance, stationary

from experiments.settings import compose_settings
from serving.errors import UsageError
from sim.admissible import SERVICES, admissible, draw, measure, medoid, stream
from sim.admissible_facts import FACTS, Candidate
from sim.system import SimulatedCpu, SimulatedGpu

services = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
COUNT = 20


def numbered(service, number):
    return profile(f"admissible/{service.name}_{number:02d}")


def test_there_are_twenty_profiles_of_every_service():
    expected = [f"{name}_{number:02d}" for name in SERVICES for number in range(1, COUNT + 1)]
    assert sorted(expected) == NAMES


@services
def test_every_profile_is_the_draw_that_it_names(service):
    rng = stream(service, 0)
    drawn = 0
    for number in range(1, COUNT + 1):
        stated = numbered(service, number)
        assert stated["provenance"]["seed"] == 0
        while drawn < stated["provenance"]["draws"]:
            numbers = draw(service, rng)
            drawn += 1
        assert stated["models"] == {service.model: numbers}


@services
def test_the_papers_profile_is_the_medoid_of_all_but_the_one_set_aside(service):
    kept = [numbered(service, number)["models"][service.model] for number in range(1, COUNT)]
    assert parameters(service) == kept[medoid(service.ranges, kept)]


@services
def test_its_provenance_states_the_ranges_and_facts_in_force(service):
    stated = provenance(service)
    assert {key: stated[key] for key in service.as_yaml()} == service.as_yaml()


@services
def test_the_papers_profile_keeps_up_and_attains_the_objective_it_states(service):
    candidate = Candidate(service, parameters(service), stationary(service))
    for fact in ("capacity_rps", "top_p95_s"):
        low, high = service.asked[fact]
        assert low <= FACTS[fact](candidate) <= high
        assert FACTS[fact](candidate) == pytest.approx(provenance(service)["facts"][fact], rel=1e-3)


@pytest.mark.slow
@services
def test_the_papers_profile_meets_all_facts_with_the_values_it_states(service):
    facts = measure(Candidate(service, parameters(service), stationary(service)))
    assert facts == pytest.approx(provenance(service)["facts"], rel=1e-3)


@pytest.mark.slow
@services
def test_the_first_profile_is_what_the_search_finds_first(service):
    found = next(admissible(service, 0, stationary(service)))
    stated = numbered(service, 1)
    assert found.parameters == stated["models"][service.model]
    assert found.drawn == stated["provenance"]["draws"]
    assert found.facts == pytest.approx(stated["provenance"]["facts"], rel=1e-3)


@services
def test_an_objective_attained_at_the_highest_load_is_attained_below(service):
    system = Candidate(service, parameters(service), stationary(service)).system
    best_s = []
    for share in (1 / 3, 2 / 3, 1.0):
        slots = stationary(service)(share * service.top_rps, 1, 12)
        p95_s = []
        for index in np.unique(system.like)[::7]:
            system.reset(0)
            measured = [system.serve(system.space.configurations[index], slot) for slot in slots]
            p95_s.append(np.mean([one.p95_latency_s for one in measured[2:]]))
        best_s.append(min(p95_s))
    assert best_s == sorted(best_s)


@pytest.mark.parametrize("name", NAMES)
def test_every_admissible_profile_serves_a_slot(name):
    service = SERVICES[name[: name.rindex("_")]]
    kind = SimulatedGpu if service.processor == "gpu" else SimulatedCpu
    grid = {key: values[-2:] for key, values in service.grid.items()}
    system = kind(profile(f"admissible/{name}"), service.model, slo_s=service.slo_s, **grid)
    (slot,) = stationary(service)(service.look_rps, 0, 1)
    measured = system.serve(system.space.configurations[-1], slot)
    assert measured.completions + measured.rejections > 0


@pytest.mark.parametrize("name", ["deepspeech2_07", "inception_v3_gpu_20"])
def test_hydra_finds_an_admissible_profile(name):
    service = SERVICES[name[: name.rindex("_")]]
    choice = [f"hardware=admissible/{name}", f"system=sim_{service.processor}", f"model={service.model}"]
    assert compose_settings(choice)["hardware"] == profile(f"admissible/{name}")


def test_a_profile_of_the_wrong_processor_is_refused():
    with pytest.raises(UsageError, match=r"hardware=paper_cpu has processor='cpu', .* processor='gpu'"):
        SimulatedGpu(profile("paper_cpu"), "inception_v3", [1], [1], [0], slo_s=1.0)
    with pytest.raises(UsageError, match=r"hardware=paper_gpu has processor='gpu', .* processor='cpu'"):
        SimulatedCpu(profile("paper_gpu"), "inception_v3", slo_s=1.0)


def test_a_model_that_a_profile_lacks_is_refused_with_those_it_has():
    with pytest.raises(UsageError, match=r"paper_gpu has no model=deepspeech2, .* \['inception_v3'\]"):
        SimulatedGpu(profile("paper_gpu"), "deepspeech2", [1], [1], [0], slo_s=1.0)
