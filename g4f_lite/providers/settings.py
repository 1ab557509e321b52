"""The settings of providers over HTTP, and their checks."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import requests

from ..arguments import safe_url, unknown_setting
from ..errors import MissingDependencyError
from ..http.retry import OnRetry
from ..http.route import CA_BUNDLES, NEEDS_PYSOCKS
from ..timeout import RetryLike, TimeoutLike

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack

_LINE_BREAKS = "\r\n"


class SettingsBesideURL(TypedDict, total=False):
    """The settings of a provider with a ``base_url`` of its own."""

    model: str | None
    proxy: str | None
    timeout: TimeoutLike
    retry: RetryLike
    session: requests.Session | None
    cookies: dict[str, str] | None
    headers: dict[str, str] | None
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    pool_size: int
    on_retry: OnRetry | None


class Settings(SettingsBesideURL, total=False):
    """The settings that a subclass accepts as ``**settings`` and passes on to :class:`Provider`, which documents them.

    With it, a type checker knows them: ``def __init__(self, **settings: Unpack[Settings]) -> None``.
    """

    base_url: str | None


def full_signature(kind: type, base: type | None = None) -> inspect.Signature:
    """Return the signature of a class with all settings instead of ``**settings``, for completion and ``help()``.

    :param kind: the class
    :param base: the class that documents the settings; None where there are none
    """
    own = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    settings: Any = base and inspect.signature(base.__init__).parameters  # type: ignore[misc]
    if settings and own and own[-1].kind is inspect.Parameter.VAR_KEYWORD:
        names = {parameter.name for parameter in own}.union(getattr(kind, "fixed_settings", ()))
        own[-1:] = [settings[name] for name in Settings.__annotations__ if name not in names]
    return inspect.Signature(own)


def refuse_unknown(kind: Any, given: Iterable[str]) -> None:
    """Raise for an argument that the constructor of a class of providers does not accept.

    One with ``**settings`` may have more arguments than it names: the base class refuses what it does not pass on.

    :param kind: the class
    :param given: the names of the arguments
    :raises TypeError: if one is not accepted; it says what to write instead
    """
    unknown = [name for name in given if name not in kind.__signature__.parameters]
    own = inspect.signature(kind.__init__).parameters.values() if unknown else ()
    if unknown and all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in own):
        raise refused_setting(kind, unknown[0])


def refused_setting(kind: Any, name: str) -> TypeError:
    """Make the error for an argument that a class of providers does not accept, with what to write instead."""
    known, keys = kind.__signature__.parameters, kind.declared_secrets
    asked_for = [name] if name in keys else [*keys] if name == "api_key" else []
    if variables := " and ".join(keys[each].variable for each in asked_for):
        return TypeError(f"{kind.__name__} does not accept {name}=; set {variables} in the environment")
    if name in Settings.__annotations__:  # so it has no **settings
        remedy = "add **settings to its __init__, and pass them on: super().__init__(**settings)"
        return TypeError(f"{kind.__name__} does not accept {name}=, which every provider should; {remedy}")
    return TypeError(unknown_setting(name, list(known), kind.known_options, kind.__name__))


_IN_A_CLASS = {  # what to write in a class in place of a setting
    "base_url": "set url = … in the class",
    "model": "set default_model = … in the class",
}


def check_names(kind: type) -> None:
    """Raise if a class has an attribute or a method with the name of a setting, which hides it in each object.

    :raises TypeError: if it has one
    """
    for name, value in vars(kind).items():
        if name not in Settings.__annotations__ or hasattr(type(value), "__set__"):  # as a property has
            continue
        remedy = _IN_A_CLASS.get(name, f"pass it on in __init__: super().__init__(**{{{name!r}: …, **settings}})")
        if inspect.isfunction(value):
            remedy = "give the method another name"
        raise TypeError(f"{kind.__name__}.{name} is hidden by the setting {name}=; {remedy}")


def check_url(url: Any, name: str, owner: str = "") -> str:
    """Check the URL of a service, and return it without a trailing slash.

    :param name: the name of the argument or variable, for errors
    :param owner: the name of the provider, for errors
    :raises TypeError: if it is not a string
    :raises ValueError: if it is empty or not an HTTP URL, or contains credentials
    """
    if not isinstance(url, str):
        raise TypeError(f"{name} must be a string, not {type(url).__name__}")
    if not url and owner:
        raise ValueError(
            f"{owner} needs {name}=, the URL of a server such as http://localhost:8080/v1, or url = … in its class"
        )
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not url.isprintable() or re.search(r"[\s\\]", url):
        shown = safe_url(url)
        hint = _around(url) or _meant(shown, name)
        raise ValueError(f"{name} must be a URL such as http://localhost:8080/v1, not {shown!r}{hint}")
    if "@" in url or parts.query or parts.fragment:  # also in a path, where an unescaped / of a password would put it
        raise ValueError(
            f"{name} must not contain a user, password or query; pass keys as api_key= or headers=: {safe_url(url)!r}"
        )
    return url.rstrip("/")


def _around(url: str) -> str:
    """Tell what stands around a URL, as it may in a file of settings; "" for nothing."""
    inner = url.strip()
    if inner != inner.strip("\"'“”‘’"):
        return "; leave out the quotes"
    if inner == url:
        return ""
    return f"; leave out the {'line break at its end' if url[-1] in _LINE_BREAKS else 'blank around it'}"


def _meant(url: str, name: str) -> str:
    """Ask whether a URL was meant whose beginning is missing or cut, or a provider; "" where it is not known."""
    if url.lower().endswith(".gguf"):
        return "; a file on this machine is for Local(…)"
    found = re.fullmatch(r"(?:(https?):/*)?([\w.-]+(:\d+)?(?:/[\w./:-]*)?)", url, re.ASCII)
    if found is None:
        return ""
    if not re.search(r"[:./]", found[2]):
        place = {"base_url": "OpenAICompatible.preset(…)", "G4F_LITE_BASE_URL": "G4F_LITE_PROVIDER"}.get(name)
        return f"; the name of a provider is for {place}" if place else ""
    scheme = found[1] or ("http" if found[3] or found[2].startswith("localhost") else "https")
    if found[3] and "/" not in found[2]:  # of a server on this machine, or in its network
        return f"; did you mean {scheme}://{found[2]}/v1, as most servers have it, or {scheme}://{found[2]}?"
    return f"; did you mean {scheme}://{found[2]}?"


def require_socks(proxy: str) -> None:
    """Raise if a proxy is SOCKS and PySocks is not installed.

    :raises MissingDependencyError: if it is not
    """
    if urlsplit(proxy).scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
        raise MissingDependencyError(NEEDS_PYSOCKS)


def check_fields(fields: Any, kind: str) -> dict[str, str]:
    """Check headers or cookies, and return them as a new dict; errors do not show their values.

    :param kind: the name of the argument, for errors
    :raises TypeError: if they are not a dict of strings
    :raises ValueError: if one cannot be sent unchanged
    """
    separators = ";" if kind == "cookies" else None
    if not isinstance(fields, Mapping):
        raise TypeError(f"{kind} must be a dict, not {type(fields).__name__}")
    for name, value in fields.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{kind} must map strings to strings; the value of {name!r} is {type(value).__name__}")
        if not name or value != value.strip() or not (name + value).replace("\t", "").isprintable():
            raise ValueError(f"{kind} cannot be sent: {name!r} has a control character or surrounding white space")
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
            raise ValueError(f"{kind} cannot be sent: {name!r} is not a name that HTTP allows")
        if separators and ";" in value:
            raise ValueError(f"{kind} cannot be sent: the value of {name!r} has a semicolon, which ends a cookie")
        try:
            (name + value).encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"{kind} cannot be sent: {name!r} has characters outside Latin-1") from None
    return dict(fields)


def check_files(verify: bool | str | None, cert: str | tuple[str, str] | None) -> None:
    """Check that the files of certificates exist, given as arguments or in the environment.

    :raises ValueError: if one does not
    """
    paths = [("cert", path) for path in (cert if isinstance(cert, tuple) else (cert,))]
    if verify is None:
        paths += [(name, os.environ.get(name)) for name in CA_BUNDLES]
    elif isinstance(verify, str):
        paths.append(("verify", verify))
    for name, path in paths:
        if path and not os.path.exists(path):
            raise ValueError(f"{name} is {path!r}, which does not exist")


def check_session(session: Any) -> requests.Session | None:
    """Check ``session=``, and return it.

    :raises TypeError: if it is not a session
    """
    if session is not None and not isinstance(session, requests.Session):
        raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
    return session


def given_cookies(session: requests.Session | None) -> dict[str, str]:
    """Return the cookies that a caller's own session has before its first call, which say whose it is."""
    return {} if session is None else {cookie.name: cookie.value or "" for cookie in session.cookies}


def check_verify(verify: Any) -> bool | str | None:
    """Check ``verify=``, and return it.

    :raises TypeError: if it is not a boolean or a path
    :raises ValueError: if the path is empty
    """
    if isinstance(verify, os.PathLike):
        verify = os.fspath(verify)
    if verify is not None and not isinstance(verify, (bool, str)):
        raise TypeError(f"verify must be True, False or the path of a CA bundle, not {type(verify).__name__}")
    if verify == "":
        raise ValueError("verify is an empty path; pass False to disable the verification of certificates")
    return verify


def check_cert(cert: Any) -> str | tuple[str, str] | None:
    """Check ``cert=``, and return it.

    :raises TypeError: if it is not a path or a pair of paths
    """
    parts = cert if isinstance(cert, tuple) else (cert,)
    if cert is not None and (len(parts) > 2 or not parts or not all(isinstance(part, str) and part for part in parts)):
        raise TypeError("cert must be the path of a client certificate, or a pair of paths: certificate and key")
    return cert  # type: ignore[no-any-return]
