"""The listener for Ray's errors uses no processor while the cluster is gone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from share_actors.actors.runtime import ray_errors
from share_actors.actors.runtime.ray_errors import PacedSubscriber


class SubscriberOfALostCluster:
    """A subscriber as Ray's is once its cluster is gone: each poll ends at once without an error."""

    def __init__(self) -> None:
        self.polls = 0

    def poll(self) -> tuple[None, None]:
        self.polls += 1
        return None, None

    def close(self) -> None:
        return


def test_the_listener_of_a_lost_cluster_pauses_between_polls_until_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_errors, "PAUSE_S", 600.0)
    lost = SubscriberOfALostCluster()
    paced = PacedSubscriber(lost)
    thread = threading.Thread(target=lambda: [paced.poll() for _ in range(2)])
    thread.start()
    thread.join(0.2)  # it would have ended by now
    assert lost.polls == 1

    paced.close()

    thread.join(60)
    assert (thread.is_alive(), lost.polls) == (False, 2)


@pytest.mark.usefixtures("cluster")
def test_the_listener_of_a_process_that_has_joined_a_cluster_is_paced() -> None:
    from ray._private.worker import global_worker

    worker: Any = global_worker

    assert isinstance(worker.gcs_error_subscriber, PacedSubscriber)
