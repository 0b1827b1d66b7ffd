"""A TCP proxy that can part two programs from each other, wholly or one way only, or be slow."""

import contextlib
import socket
import threading
import time

UP, DOWN = "up", "down"  # from whoever connects, and to it


def _listen(address):
    if isinstance(address, tuple):
        return socket.create_server(address, backlog=1024)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(1024)
    return listener


def _connect(address):
    if isinstance(address, tuple):
        connection = socket.create_connection(address, timeout=5)
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(address))
    connection.settimeout(None)
    return connection


class Proxy:
    """Listens on one address and passes everything on to another: host and port, or a Unix path."""

    def __init__(self, listen, target):
        self._target = target
        self._changed = threading.Condition()
        self._held = frozenset()  # directions in which nothing passes
        self._refusing = False
        self._byte_s = 0.0
        self._connections = set()
        self._listener = _listen(listen)
        self._run(self._accept)

    @staticmethod
    def _run(function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def hold(self, *directions):
        """Nothing passes in these directions. Nobody is told, as when a cable is pulled."""
        with self._changed:
            self._held = frozenset(directions)

    def slow(self, bits_a_second=None):
        """From now on each connection passes no more than this each way; none: as fast as it can."""
        self._byte_s = 8 / bits_a_second if bits_a_second else 0.0

    def cut(self):
        """End all connections, and every new one at once."""
        with self._changed:
            self._refusing = True
        self._end_all()

    def heal(self, keep=True):
        """Everything passes again. What was held is delivered late, or (keep false) is lost
        together with its connection."""
        if not keep:
            self._end_all()
        with self._changed:
            self._held, self._refusing = frozenset(), False
            self._changed.notify_all()

    def close(self):
        self._listener.close()
        self.cut()
        self.heal()

    def _end_all(self):
        with self._changed:
            ended, self._connections = self._connections, set()
        for connection in ended:
            _end(connection)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._run(self._connect, client)

    def _connect(self, client):
        try:
            server = None if self._refusing else _connect(self._target)
        except OSError:  # the other side is not there
            server = None
        if server is None:
            client.close()
            return
        with self._changed:
            self._connections |= {client, server}
        self._run(self._pass, client, server, UP)
        self._run(self._pass, server, client, DOWN)

    def _pass(self, source, sink, direction):
        try:
            while data := source.recv(65536):
                with self._changed:
                    self._changed.wait_for(lambda: direction not in self._held)
                time.sleep(len(data) * self._byte_s)
                sink.sendall(data)
        except OSError:
            pass
        with self._changed:
            self._connections -= {source, sink}
        _end(source)
        _end(sink)
        source.close()  # the other direction closes the other


def _end(connection):
    """Wakes whoever reads from it, who then closes it."""
    with contextlib.suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)
