"""What the service counts and times, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counters of one service; `text()` is what Prometheus reads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "anodice_requests",
            "Requests for a verdict by the status of their answer.",
            ["status"],
            registry=self._registry,
        )
        self.failures = Counter(
            "anodice_failures", "Requests without a verdict by the kind of failure.", ["kind"], registry=self._registry
        )
        self.verdicts = Counter("anodice_verdicts", "Verdicts.", ["verdict"], registry=self._registry)
        self.seconds = Histogram(
            "anodice_request_seconds",
            "Time from a request to its answer.",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=self._registry,
        )
        self.batch = Histogram(
            "anodice_batch_photos",
            "Photos that were scored together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )
        self.waiting = Gauge("anodice_waiting_requests", "Requests that are in work.", registry=self._registry)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)
