"""Whether weights may be downloaded: what the program and its user allow, and licences that are to be accepted."""

from __future__ import annotations

import sys

from ...answers.ipython import in_notebook
from ...errors import ProviderNotConfiguredError
from ...http.route import refuse_when_offline
from .catalogue import DEFAULT
from .store import cache_directory
from .web import hub

PROVIDER = "Local"
#: Licences that nobody has to think about first.
PLAIN_LICENCES = frozenset({"apache-2.0", "mit"})


def interactive() -> bool:
    """Return whether somebody sees what happens here: at a terminal, or in a notebook."""
    if sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty():
        return True
    return in_notebook()


def check_download(name: str, *, allowed: bool) -> None:
    """Raise unless the weights of a model may be downloaded.

    :param allowed: whether the program allows it
    :raises ProviderNotConfiguredError: if it does not, or the user has forbidden all requests
    """
    pull = _command(name)
    if _is_offline(name):
        reason = f"G4F_LITE_OFFLINE=1 forbids to fetch them; unset it and run {pull} once"
    elif not allowed and name == DEFAULT:
        reason = f"they are fetched without being asked only at a terminal or in a notebook; run {pull} once"
    elif not allowed:
        reason = f"only those of {DEFAULT} are fetched without being asked for; run {pull} once"
    else:
        return
    place = f"are not in {cache_directory()}"
    raise ProviderNotConfiguredError(f"the weights of {name} {place}: {reason}", provider=PROVIDER)


def check_licence(name: str, licence: str, *, accepted: bool) -> None:
    """Raise unless a model's licence is a plain one, or is accepted; ask at a terminal and in a notebook.

    :param licence: as the hub gives it; "" if it gives none
    :param accepted: whether the caller has accepted it
    :raises ProviderNotConfiguredError: if it is not accepted
    """
    if accepted or licence.lower() in PLAIN_LICENCES:
        return
    what = f"the licence of {name} is {licence}" if licence else f"the hub does not name a licence of {name}"
    if interactive() and _is_confirmed(f"{what[0].upper()}{what[1:]}. Accept it, and download the model? [y/N] "):
        return
    raise ProviderNotConfiguredError(
        f"{what}, which was not accepted, so that nothing was downloaded; read it, and then call "
        f"Local.pull({name!r}, accept_licence=True), or run {_command(name, '--yes')}",
        provider=PROVIDER,
    )


def _command(name: str, *options: str) -> str:
    names = () if name == DEFAULT else (name,)
    return f"`{' '.join(['g4f-lite local pull', *names, *options])}`"


def _is_confirmed(question: str) -> bool:
    if not in_notebook():  # input() would write it to the standard output, which may be a file
        sys.stderr.write(question)
        sys.stderr.flush()
        question = ""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, NotImplementedError):  # a notebook that a program runs has nobody to ask
        return False


def _is_offline(name: str) -> bool:
    try:
        refuse_when_offline("https://pypi.org" if name == DEFAULT else hub())
    except ProviderNotConfiguredError:
        return True
    return False
