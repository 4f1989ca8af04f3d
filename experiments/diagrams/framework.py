"""The framework as a loop, with where each part stands in this repository (the paper's Fig. 6)."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.diagrams.canvas import BLUE, GREEN, INK, Box, arrow, box, sheet, words


def draw() -> Figure:
    """Draw it."""
    figure, axes = sheet(7.2, 3.4)
    workload = box(axes, Box(0.1, 2.4, 1.2, 0.85), "workload", "arrivals, sizes\nworkloads/")
    system = box(axes, Box(2.2, 2.4, 2.0, 0.85), "serving system", "simulated or real\nsim/, testbed/", GREEN)
    profiler = box(axes, Box(5.15, 2.4, 1.95, 0.85), "profiler", "measures each slot\nserving/measurement.py")
    objective = box(
        axes, Box(5.15, 0.2, 1.95, 0.85), "objective", "makes it one number\nserving/objective.py"
    )
    scheduler = box(axes, Box(2.2, 1.45, 2.0, 0.6), "scheduler", "agent.act: draws from the policy", BLUE)
    learner = box(axes, Box(2.2, 0.1, 2.0, 1.0), "learner", colour=BLUE, top=True)
    words(
        axes,
        (3.2, 0.81),
        "agent.learn: estimates the costs\nin a region, updates Q there\n"
        "(Eq. 1, 2), then the policy (Eq. 3)\nagents/",
    )
    arrow(axes, workload.right, system.left)
    words(axes, (1.75, 2.92), "requests", colour=INK)
    arrow(axes, system.right, profiler.left)
    words(axes, (4.67, 3.14), "latencies,\nload", colour=INK)
    arrow(axes, profiler.bottom, objective.top)
    words(axes, (6.2, 1.85), "latencies, losses,\nutilisation", colour=INK, align="left")
    arrow(axes, (5.15, 0.625), (4.2, 0.625))
    words(axes, (4.67, 0.72), "cost", colour=INK)
    arrow(axes, (5.6, 2.4), (5.6, scheduler.right[1]), scheduler.right)
    words(axes, (4.9, 1.85), "load seen", colour=INK)
    arrow(axes, learner.top, scheduler.bottom, dashed=True)
    words(axes, (3.12, 1.28), "policy", colour=INK, align="right")
    arrow(axes, scheduler.top, system.bottom)
    words(axes, (3.28, 2.22), "configuration", colour=INK, align="left")
    words(axes, (0.1, 1.9), "One decision per slot:\nexperiments/loop.py", align="left")
    words(
        axes,
        (0.1, 0.95),
        "Dashed: learning may run\nbeside serving; the policy\nis then one slot old\n(learning=background).",
        align="left",
    )
    return figure
