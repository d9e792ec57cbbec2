"""The extension object."""

from __future__ import annotations

import threading
from typing import Any, Callable

import flask
from flask import has_request_context
from flask import json as flask_json

from ..exceptions import ConnectionRefusedError, NotOnStoaError
from ..handlers import fitting
from ..serve import serve
from ..socketio.apps import WSGIApp
from ..socketio.base import Reason
from ..socketio.server import Server
from .namespace import Namespace
from .sessions import ClientSession, install
from .test_client import SocketIOTestClient


class _Middleware(WSGIApp):
    """The endpoint in front of a Flask application."""

    def __init__(self, server: Server, app: flask.Flask) -> None:
        super().__init__(server, app.wsgi_app)
        self.flask_app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ["flask.app"] = self.flask_app
        return super().__call__(environ, start_response)


class _FlaskJson:
    """Flask's JSON, which needs the application's context."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = app

    def dumps(self, value: Any, **options: Any) -> str:
        with self._app.app_context():
            return flask_json.dumps(value, **options)

    def loads(self, text: Any, **options: Any) -> Any:
        with self._app.app_context():
            return flask_json.loads(text, **options)


class SocketIO:
    """Handlers of a Flask application for clients that are connected to Stoa.

    ``stoa_url`` and ``secret`` (or ``STOA_URL``, ``STOA_SECRET``) name Stoa; it calls the application at ``stoa_path``,
    ``/stoa`` if not given. Without an application and with ``message_queue`` the object only emits.
    """

    reason = Reason

    def __init__(self, app: flask.Flask | None = None, **kwargs: Any) -> None:
        self.app = app
        self.server: Server = None  # type: ignore[assignment]
        self.server_options: dict[str, Any] = {}
        self.manage_session = True
        self.exception_handlers: dict[str, Callable[..., Any]] = {}
        self.default_exception_handler: Callable[..., Any] | None = None
        self._waiting: list[Callable[[], Any]] = []
        self._stop: Callable[[], None] | None = None
        self._stopping = threading.Lock()
        if app is not None or "message_queue" in kwargs:
            self.init_app(app, **kwargs)
        else:
            self.server_options.update(kwargs)

    def init_app(self, app: flask.Flask | None, **kwargs: Any) -> None:
        """Takes an application, for those that are made by a factory."""
        self.server_options.update(kwargs)
        options = dict(self.server_options)
        self.manage_session = options.pop("manage_session", self.manage_session)
        if app is not None:
            self.app = app
            app.extensions["socketio"] = self
            if options.get("json") is flask_json:
                options["json"] = _FlaskJson(app)
        self.server = Server(**options)
        self.async_mode = self.server.async_mode
        for register in self._waiting:
            register()
        if app is not None:
            self.sockio_mw = _Middleware(self.server, app)
            app.wsgi_app = self.sockio_mw  # type: ignore[method-assign]

    def _register(self, register: Callable[[], Any]) -> None:
        # Kept, since a factory may make several applications of one object.
        self._waiting.append(register)
        if self.server is not None:
            register()

    # Handlers

    def on(self, message: str, namespace: str | None = None) -> Callable[..., Any]:
        """Registers the decorated function for an event. ``*`` stands for any name."""
        place = namespace or "/"

        def decorator(handler: Callable[..., Any]) -> Callable[..., Any]:
            def handle(*args: Any) -> Any:
                given = list(args)
                event = given.pop(0) if message == "*" else None
                real = given.pop(0) if place == "*" else place
                sid = given.pop(0)
                if message == "*":
                    given.insert(0, event)
                return self._handle_event(handler, message, real, sid, *given)

            self._register(lambda: self.server.handlers.add(message, handle, place))
            return handler

        return decorator

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Registers the decorated function for the event with its name."""
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__)(args[0])
        return lambda handler: self.on(handler.__name__, *args, **kwargs)(handler)

    def on_event(self, message: str, handler: Callable[..., Any], namespace: str | None = None) -> None:
        """Registers a function for an event."""
        self.on(message, namespace=namespace)(handler)

    def on_error(self, namespace: str | None = None) -> Callable[..., Any]:
        """Registers the decorated function for exceptions of a namespace's handlers."""

        def decorator(handler: Callable[..., Any]) -> Callable[..., Any]:
            self.exception_handlers[namespace or "/"] = _callable(handler)
            return handler

        return decorator

    def on_error_default(self, exception_handler: Callable[..., Any]) -> Callable[..., Any]:
        """Registers the decorated function for exceptions on namespaces without one of their own."""
        self.default_exception_handler = _callable(exception_handler)
        return exception_handler

    def on_namespace(self, namespace_handler: Namespace) -> None:
        """Registers a class-based namespace."""
        if not isinstance(namespace_handler, Namespace):
            raise ValueError("Not a namespace instance.")
        namespace_handler._set_socketio(self)
        self._register(lambda: self.server.register_namespace(namespace_handler))

    def _handle_event(
        self, handler: Callable[..., Any], message: str | None, namespace: str, sid: str, *args: Any
    ) -> Any:
        """Runs a handler within the request by which its client connected."""
        environ = self.server.get_environ(sid, namespace)
        app = self.app
        if environ is None or app is None:
            return None
        call = self.server._own(sid)
        if call is not None and call.data["server"]:
            app = call.data["server"].get("flask.app", app)
        with app.request_context(environ) as context:
            session: Any = flask.session._get_current_object()  # type: ignore[attr-defined]
            kept: ClientSession | None = None
            if self.manage_session:
                stored = self.server._stored(sid)
                kept = environ.get("stoa.session") or ClientSession.of(stored, session)
                environ["stoa.session"] = kept
                install(context, kept)
            request: Any = flask.request
            request.sid, request.namespace = sid, namespace
            request.event = {"message": message, "args": args}
            try:
                value = self._run(handler, message, namespace, args)
            finally:
                if kept is not None:
                    kept.keep(self.server, sid)
            if not self.manage_session and getattr(session, "modified", True):
                app.session_interface.save_session(app, session, app.response_class())
            return value

    def _run(self, handler: Callable[..., Any], message: str | None, namespace: str, args: tuple[Any, ...]) -> Any:
        try:
            if message == "connect":
                # The arguments are the environment and what the client gave as `auth`.
                auth = args[1:2] or (None,)
                return handler(*fitting(handler, auth, ()))
            if message == "disconnect":
                return handler(*fitting(handler, args, args[:-1]))
            return handler(*args)
        except ConnectionRefusedError:
            raise
        except Exception as error:
            known = self.exception_handlers.get(namespace, self.default_exception_handler)
            if known is None:
                raise
            return known(error)

    # Messages of the application to its clients

    def emit(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Emits an event to everybody, a room, a client or a list of them; from handlers, routes, threads and workers."""
        self._ready()
        namespace = kwargs.pop("namespace", None) or "/"
        to = kwargs.pop("to", None) or kwargs.pop("room", None)
        kwargs.pop("room", None)
        include_self = kwargs.pop("include_self", True)
        skip_sid = kwargs.pop("skip_sid", None)
        callback = kwargs.pop("callback", None)
        kwargs.pop("ignore_queue", None)
        if kwargs:
            raise TypeError(f"emit() has no argument {next(iter(kwargs))!r}")
        if not include_self and not skip_sid:
            skip_sid = flask.request.sid  # type: ignore[attr-defined]
        if callback:
            callback = self._in_request(callback, namespace)
        data = args[0] if len(args) == 1 else args if args else None
        self.server.emit(event, data, to=to, skip_sid=skip_sid, namespace=namespace, callback=callback)

    def _in_request(self, callback: Callable[..., Any], namespace: str) -> Callable[..., Any]:
        """A callback that sees the request of the handler in which it was given."""
        sid = getattr(flask.request, "sid", None) if has_request_context() else None
        if sid is None:
            return callback
        place = flask.request.namespace  # type: ignore[attr-defined]
        return lambda *args: self._handle_event(callback, None, place, sid, *args)

    def send(
        self,
        data: Any,
        json: bool = False,
        namespace: str | None = None,
        to: Any = None,
        callback: Any = None,
        include_self: bool = True,
        skip_sid: Any = None,
        **kwargs: Any,
    ) -> None:
        """Emits the event ``message``, or ``json``."""
        self.emit(
            "json" if json else "message",
            data,
            namespace=namespace,
            to=to,
            callback=callback,
            include_self=include_self,
            skip_sid=skip_sid,
            **kwargs,
        )

    def call(self, event: str, *args: Any, **kwargs: Any) -> Any:
        """Emits an event to one client and waits for its acknowledgement."""
        self._ready()
        namespace = kwargs.pop("namespace", None) or "/"
        to = kwargs.pop("to", None) or kwargs.pop("room", None)
        data = args[0] if len(args) == 1 else args if args else None
        return self.server.call(event, data, to=to, namespace=namespace, **kwargs)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Takes all clients out of a room."""
        self._ready()
        self.server.close_room(room, namespace)

    def _ready(self) -> None:
        if self.server is None:
            raise RuntimeError("the extension has no application yet: call init_app(app) first")

    # Background and running

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Runs a function in a thread."""
        self._ready()
        return self.server.start_background_task(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Waits."""
        self._ready()
        self.server.sleep(seconds)

    def run(self, app: flask.Flask, host: str | None = None, port: int | None = None, **kwargs: Any) -> None:
        """Runs Flask's development server, and a Stoa behind the same port if a program is found and none is named.

        In production run Stoa, the application in gunicorn or the like, and a proxy in front of both.
        """
        if port is None:
            name = str(app.config.get("SERVER_NAME") or "")
            port = int(name.rsplit(":", 1)[1]) if ":" in name else 5000
        for ours in ("log_output", "allow_unsafe_werkzeug"):
            kwargs.pop(ours, None)
        extra_files = kwargs.pop("extra_files", None)
        reloader = kwargs.pop("reloader_options", None) or {}
        if extra_files:
            reloader["extra_files"] = extra_files
        app.debug = kwargs.pop("debug", app.debug)
        kwargs.setdefault("use_reloader", app.debug)
        serve(self, app, host or "127.0.0.1", port, {**reloader, **kwargs})

    def stop(self) -> None:
        """Stops the server that :meth:`run` started."""
        with self._stopping:
            if self._stop is None:
                raise NotOnStoaError(
                    "this process does not run the server: end gunicorn (or the like) by its process id, and Stoa by its own"
                )
            self._stop()

    def test_client(
        self,
        app: flask.Flask,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> SocketIOTestClient:
        """A client for tests without a server: handlers run here, and rooms are kept in this process."""
        return SocketIOTestClient(
            app,
            self,
            namespace=namespace,
            query_string=query_string,
            headers=headers,
            auth=auth,
            flask_test_client=flask_test_client,
        )


def _callable(handler: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(handler):
        raise ValueError("exception_handler must be callable")
    return handler
