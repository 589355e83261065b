"""Files are downloaded by one module, which judges addresses; no other code opens connections of its own."""

from __future__ import annotations

import ast

from tests.packaging.source import imports, modules

# Who may use a library that opens connections. Requests go to the hosts of the settings; downloads are judged.
MAY_CONNECT = {
    "aiohttp": {"transport.aio"},
    # `connecting` asks it for the environment's proxies only.
    "requests": {"transport.blocking", "transport.connection_setup", "transport.connections", "transport.downloads"},
    "urllib3": {"transport.blocking", "transport.connections", "transport.downloads"},
    "http.client": {"transport.received"},
    # The probe asks the host of the settings whether it speaks TLS, and sends nothing.
    "socket": {
        *(
            "transport.addresses",
            "transport.lookup",
            "transport.aio",
            "transport.connections",
            "transport.probe",
            "transport.received",
        ),
    },
    "urllib.request": {"transport.connection_setup"},
    "ssl": {"transport.blocking", "transport.connection_setup", "transport.probe"},
    "httpx": set(),
    "ftplib": set(),
    "smtplib": set(),
}


def ours():
    """Yield the modules of the package that may be in a task, the sandbox being none."""
    for name, tree in modules().items():
        short = name.partition(".")[2]
        if not short.startswith("sandbox"):
            yield short, tree


def test_connections_are_opened_in_few_places():
    """A new module that imports such a library has to be added here, and to judge the addresses it connects to."""
    for name, tree in ours():
        used = set(imports(tree))
        for library, places in MAY_CONNECT.items():
            found = any(one == library or one.startswith(f"{library}.") for one in used)
            assert not found or name in places, f"{name} imports {library}"


def test_aiohttp_downloads_nothing():
    """It sends signed requests to the settings' own hosts only: one call, with the URL that was signed."""
    tree = dict(ours())["transport.aio"]
    methods = {"request", "get", "post", "put", "patch", "delete", "head", "options", "ws_connect"}
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in methods
        and "_opened" in ast.unparse(node.func.value)
    ]
    assert [ast.unparse(call.args[1]) for call in calls] == ["URL(wire.url, encoded=True)"]
    redirects = [key for call in calls for key in call.keywords if key.arg == "allow_redirects"]
    assert [ast.unparse(one.value) for one in redirects] == ["False"]
