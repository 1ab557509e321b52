"""The rows: what each measures, for whom, how often, and the bars that ours must reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from . import batches, calls, cluster, environments, house, local, services, streaming, time_limits, typed
from .clients import BARE, CLIENTS, G4F, LITELLM, OPENAI, OURS
from .table import Bar

EVERYONE = tuple(CLIENTS)
QUARTER = [Bar(1.25, BARE)]
HALF_A_MILLISECOND = [Bar(0.5)]


@dataclass(frozen=True)
class Row:
    """One row, which is a table of its own where it has several figures.

    :param measure: takes the figures of one round; its docstring says what they are
    :param kind: ``client``: of a Subject, in the client's own process;  ``together``: of all columns, in one process;
        ``outside``: of a client's name and its environment's Python
    :param rounds: how often, where the command line does not say
    :param bars: by the figures' names
    :param floor: what to know where a bar is missed or a peer is better
    :param clients: whose figures are taken;  :param beside: columns that are no clients, in our environment
    :param over_tls: whether it is taken over HTTPS, too
    :param guarded: whether a client that leaves this machine fails
    """

    name: str
    title: str
    measure: Callable[..., Any]
    kind: Literal["client", "together", "outside"] = "client"
    rounds: int = 5
    bars: dict[str, list[Bar]] = field(default_factory=dict)
    floor: str = ""
    clients: tuple[str, ...] = EVERYONE
    beside: tuple[str, ...] = ()
    over_tls: bool = False
    guarded: bool = False

    @property
    def description(self) -> str:
        return " ".join((self.measure.__doc__ or "").split())


ROWS = [
    Row(
        "cpu_per_piece",
        "Processor time of a streamed piece",
        streaming.cpu_per_piece,
        bars={"µs": [Bar(1.25, BARE), Bar(0.1, OPENAI)]},
    ),
    Row(
        "delivery",
        "Delay of a streamed piece",
        streaming.delivery,
        rounds=3,
        bars={f"{name}, ms": HALF_A_MILLISECOND for name in streaming.FRAMINGS.values()},
        floor="The floor is the time in which the server's write wakes the client's thread on this machine.",
    ),
    Row(
        "warm_call",
        "A call on a warm connection",
        calls.warm_call,
        bars={"ms": QUARTER},
        floor="A call of ours goes through `requests`, so that the bare loop is its floor; what ours adds is the watch "
        "over the time limit, the retry policy, the session lent from the pool, and checks of arguments and answer.",
    ),
    Row(
        "connections",
        "Connections of 100 calls",
        calls.connections,
        rounds=2,
        bars={"connections": [Bar(1)], "TLS handshakes": [Bar(1)]},
        over_tls=True,
        guarded=True,
    ),
    Row(
        "round_trips",
        "Round trips of a call over a long way",
        calls.round_trips,
        rounds=3,
        bars={
            "http, cold": [Bar(2)],
            "http, warm": [Bar(1)],
            "https, cold": [Bar(3)],
            "https, warm": [Bar(1)],
        },
        floor="The protocols' minimum is 2 over HTTP, 3 over HTTPS, and 1 on a connection that is open; the time adds "
        "what client, server and link do meanwhile.",
        over_tls=True,
    ),
    Row(
        "service_round_trips",
        "Round trips of a call to the emulated services",
        services.round_trips,
        "together",
        rounds=3,
        bars=services.ROUND_TRIP_BARS,
        floor="The minimum is 3 for a service that wants a token or a cookie first (connect, bootstrap, prompt), 2 for "
        "one that does not, and 1 for the next call.",
    ),
    Row(
        "threads",
        "Calls from many threads",
        calls.threads,
        rounds=3,
        bars={"64 threads, calls/s": [Bar(0.8, BARE, at_least=True)], "64 threads / 1": [Bar(1, at_least=True)]},
        floor="One process runs Python code on one core at a time, so that the rate of one thread that seldom waits is "
        "nearly the ceiling for any number of them; the bare loop shows how far the interpreter itself falls off.",
    ),
    Row(
        "conversation",
        "Calls in a long conversation",
        calls.conversation,
        rounds=3,
        clients=tuple(name for name in EVERYONE if name != G4F),
        bars={"10,000 / 1,000": [Bar(1.25)]},
        floor="Each message is checked, copied and written as JSON; the bare loop only writes it.",
    ),
    Row(
        "long_stream",
        "An answer of 1 GB",
        streaming.long_stream,
        rounds=2,
        bars={"growth, MB": [Bar(8)]},
        clients=(BARE, OURS),
    ),
    Row(
        "long_lines",
        "Lines of 1 GB",
        streaming.long_lines,
        rounds=2,
        bars={"growth, MB": [Bar(8)]},
        clients=(BARE, OURS),
    ),
    Row(
        "import",
        "Import",
        house.imports,
        "outside",
        rounds=15,
        bars={"ms": [Bar(1.2, house.WITH_TENACITY)]},
        beside=(house.WITH_TENACITY, house.NOTHING),
        floor="The bar counts `requests` and `tenacity`, which ours is made of; a client without them can be quicker.",
    ),
    Row(
        "memory",
        "Resident memory",
        calls.resident,
        rounds=3,
        floor="Every column includes the interpreter and this benchmark's own modules.",
    ),
    Row(
        "distributions",
        "Distributions of a plain install",
        environments.distributions,
        "outside",
        rounds=1,
        bars={"distributions": [Bar(7)]},
        floor="`requests` alone is 5; `tenacity` and the package itself make 7.",
    ),
    Row(
        "local",
        "The embedded model",
        local.beside_the_engine,
        "together",
        rounds=3,
        bars=local.BARS,
        floor="All are asked in turns; the bare engines have 1 or all threads, which spin briefly or long.",
    ),
    Row(
        "batch",
        "1,000 prompts with 32 workers",
        batches.batch,
        rounds=3,
        bars={"× ideal": [Bar(1.1)], "with a store, × without": [Bar(1.05)]},
        clients=(BARE, OURS, LITELLM),
        floor="The floor is the by-hand column: client, server and 32 threads share the machine's cores.",
    ),
    Row(
        "hidden_limit",
        "Prompts at a service's limit",
        batches.hidden_limit,
        "together",
        rounds=1,
        bars={"prompts/s": [Bar(0.9, batches.BEST, at_least=True)], batches.SHARE: [Bar(2)]},
    ),
    Row(
        "batch_memory",
        "100,000 prompts from a generator",
        batches.growth,
        "together",
        rounds=2,
        bars={"growth, MB": [Bar(60)]},
    ),
    Row("batch_resume", "100,000 stored prompts", batches.resuming, "together", rounds=2, bars={"µs": [Bar(50)]}),
    Row(
        "cluster",
        "2,000 prompts on a Dask cluster",
        cluster.beside_dask,
        "together",
        rounds=2,
        bars={"× ideal": [Bar(1.25)]},
        floor="The floor is by hand: Dask's scheduler, its workers and the server share the machine's cores.",
    ),
    Row("typed", "The conversion of a typed answer", typed.conversions, "together", rounds=3, bars=typed.BARS),
    Row(
        "time_limits",
        "A time limit of 1 s",
        time_limits.overruns,
        "together",
        rounds=2,
        bars=time_limits.OVERRUN_BARS,
    ),
    Row(
        "ending",
        "Ending a call that waits",
        time_limits.endings,
        "together",
        rounds=2,
        bars=time_limits.ENDING_BARS,
    ),
    Row(
        "services",
        "1,000 calls from 8 threads to the emulated services",
        services.warm_services,
        "together",
        rounds=2,
        bars=services.SERVICE_BARS,
    ),
    Row(
        "emulator_streams",
        "64 streams of the emulator at once",
        services.emulator_streams,
        "together",
        rounds=3,
        bars={"ms": [Bar(20)]},
    ),
]
