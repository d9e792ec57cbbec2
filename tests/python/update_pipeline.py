"""The update pipeline's Python interface on a Stoa: what its document imports from `dating_show.services.update_pipeline`."""

import enum
import json

import websocket
from conftest import PATIENCE

_server = None
_pipeline = None


class UpdatePriority(enum.Enum):
    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class UpdatePipeline:
    """A producer at the pipeline's socket, and an operator at its admin socket."""

    async def start(self):
        url = f"ws://{_server.address}/ws/dating_show/"
        self._updates = websocket.create_connection(f"{url}?role=producer", timeout=PATIENCE)
        self._figures = websocket.create_connection(f"{url}admin/", timeout=PATIENCE)
        self._until(self._updates, "connection_established")
        self._until(self._figures, "connection_established")

    async def stop(self):
        self._updates.close()
        self._figures.close()

    def queue_agent_update(self, agent_id, update_type, data, priority=UpdatePriority.NORMAL):
        """Returns when the update is kept."""
        update = {"type": "agent_update", "agent_id": agent_id, "update_type": update_type}
        self._updates.send(json.dumps({**update, "data": data, "priority": priority.value}))
        published = self._until(self._updates, "published")
        assert published["accepted"] == 1, published

    def get_performance_metrics(self):
        """Of a moment at which everything is sent that was queued before."""
        while True:
            metrics = self._ask("get_metrics", "metrics")
            if metrics["queues"]["hub_lag_events"] == 0:
                return metrics

    def get_health_status(self):
        return self._ask("get_health", "health")

    def _ask(self, command, kind):
        self._figures.send(json.dumps({"command": command}))
        return self._until(self._figures, kind)["data"]

    @staticmethod
    def _until(socket, kind):
        while True:
            message = json.loads(socket.recv())
            if message["type"] == kind:
                return message


def use(server):
    """The server on which pipelines run from now on."""
    global _server, _pipeline
    _server, _pipeline = server, None


def get_update_pipeline():
    global _pipeline
    _pipeline = _pipeline or UpdatePipeline()
    return _pipeline


def setup_update_pipeline_integration():
    return get_update_pipeline()


async def start_update_pipeline_service():
    pipeline = get_update_pipeline()
    await pipeline.start()
    return pipeline
