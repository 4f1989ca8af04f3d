"""Servers that others run: requests go there, and only what can be changed in place is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.configuration import ConfigurationSpace
from serving.errors import UsageError
from testbed.binary_server import is_available
from testbed.server.admin import ask

_IN_PLACE = frozenset({"request_parallelism", "inter_op_parallelism"})


class RemoteSupervisor:
    """Servers at addresses; starting, restarting and stopping them is their owner's business.

    Without admin sockets nothing can be changed, and every knob has the one value that the servers run with,
    as their owner says. With the admin sockets of servers of ours request and inter-op parallelism can be
    changed, and intra-op parallelism is looked up.

    Args:
        addresses: gRPC targets, such as ``host:8500``.
        model: the model that they serve.
        space: the configurations.
        admin_sockets: paths of the servers' admin sockets, one per address; empty for none.

    Raises:
        UsageError: if a server does not answer, or a knob that cannot be set has several values.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        model: str,
        space: ConfigurationSpace,
        admin_sockets: Sequence[str] = (),
    ) -> None:
        if admin_sockets and len(admin_sockets) != len(addresses):
            raise UsageError(
                f"admin_sockets={list(admin_sockets)}, expected one for each of addresses={list(addresses)}"
            )
        settable = _IN_PLACE if admin_sockets else frozenset[str]()
        for knob in space.knobs:
            if knob.name not in settable and len(knob.values) > 1:
                raise UsageError(
                    f"{knob.name}={list(knob.values)}, expected the one value that the servers at "
                    f"{', '.join(addresses)} run with: it cannot be set from here"
                )
        for address in addresses:
            if not is_available(address, model):
                raise UsageError(f"addresses={address}: nobody there serves {model}")
        self._space = space
        self._admin_sockets = list(admin_sockets)
        self.addresses = tuple(addresses)
        self.process_ids: tuple[int, ...] = ()
        """None: they are not on this machine, or not ours."""

    def apply(self, configuration: Mapping[str, int]) -> tuple[str, ...]:
        """Change what can be changed; see ``Supervisor``."""
        self._space.index([configuration[name] for name in self._space.names])
        changes = {name: value for name, value in configuration.items() if name in _IN_PLACE}
        intra_op = configuration.get("intra_op_parallelism", 0)
        for path in self._admin_sockets:
            try:
                models = ask(path, command="configure", **changes)
            except OSError as error:
                raise UsageError(f"admin_sockets={path}: {error.strerror or error}") from None
            for model in models:
                if intra_op not in (0, model["intra_op_threads"]):
                    raise UsageError(
                        f"intra_op_parallelism={intra_op}, but {path} runs with {model['intra_op_threads']}"
                    )
        return self.addresses

    def lost(self) -> bool:
        """False: who runs them looks after them, and requests that fail are counted."""
        return False

    def retire(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""
