"""The examples of the update pipeline's document, as they stand; only the place that they import from is another."""

import asyncio
import time

import pytest
import update_pipeline
from update_pipeline import (
    UpdatePipeline,
    UpdatePriority,
    get_update_pipeline,
    setup_update_pipeline_integration,
    start_update_pipeline_service,
)


@pytest.fixture(autouse=True)
def on_stoa(stoa):
    update_pipeline.use(stoa)


@pytest.mark.asyncio
async def test_update_pipeline_basic():
    pipeline = UpdatePipeline()
    await pipeline.start()

    # Test update queuing
    pipeline.queue_agent_update(
        agent_id="test_001",
        update_type="test",
        data={"test": True},
        priority=UpdatePriority.NORMAL
    )

    # Test metrics
    metrics = pipeline.get_performance_metrics()
    assert metrics['total_updates'] > 0

    await pipeline.stop()


@pytest.mark.asyncio
async def test_unified_manager_integration():
    pipeline = setup_update_pipeline_integration()
    await pipeline.start()

    # Trigger agent update through UnifiedAgentManager
    # Verify UpdatePipeline receives and processes update

    await pipeline.stop()


async def load_test():
    pipeline = get_update_pipeline()
    await pipeline.start()

    start_time = time.time()

    # Generate load
    for i in range(1000):
        pipeline.queue_agent_update(
            agent_id=f"load_test_{i % 10}",
            update_type="load_test",
            data={"iteration": i},
            priority=UpdatePriority.NORMAL
        )

    # Wait for processing
    await asyncio.sleep(2)

    # Check performance
    metrics = pipeline.get_performance_metrics()
    duration = time.time() - start_time

    print(f"Processed 1000 updates in {duration:.2f}s")
    print(f"Average latency: {metrics['average_latency_ms']:.1f}ms")

    await pipeline.stop()


@pytest.mark.asyncio
async def test_load():
    await load_test()


@pytest.mark.asyncio
async def test_monitoring():
    pipeline = await start_update_pipeline_service()
    pipeline.queue_agent_update("agent_001", "state_change", {"status": "active"})

    # Get comprehensive metrics
    metrics = pipeline.get_performance_metrics()

    print(f"Updates/second: {metrics['updates_per_second']}")
    print(f"Average latency: {metrics['average_latency_ms']}ms")
    print(f"Success rate: {metrics['success_rate']:.2%}")
    print(f"WebSocket connections: {metrics['websocket_connections']}")
    print(f"Circuit breaker state: {metrics['circuit_breaker_state']}")

    # Get health status
    health = pipeline.get_health_status()

    print(f"Health score: {health['health_score']}/100")
    print(f"Status: {health['health_status']}")
    if health['issues']:
        print(f"Issues: {', '.join(health['issues'])}")
    assert metrics['circuit_breaker_state'] == 'closed'
    assert metrics['websocket_connections'] == 2
    await pipeline.stop()
