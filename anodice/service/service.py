"""A predictor behind HTTP: photos in, verdicts out."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from anodice.app.process import cores
from anodice.data.records import FORMATS
from anodice.prediction.photos import Photo, photo_of_bytes
from anodice.prediction.prediction import Prediction, Unreadable
from anodice.prediction.predictor import Predictor
from anodice.service.batching import Batcher
from anodice.service.limits import Limits
from anodice.service.metrics import Metrics
from anodice.service.receiving import receive
from anodice.service.refusals import Refusal, broken, busy, malformed, no_photo, too_large

log = logging.getLogger(__name__)

_NAME = "photo"
"""What a photo is called in answers: names of clients are not repeated."""


class Service:
    """Scores the photos of requests, those that arrive together in one batch.

    Args:
        predictor: gives the verdicts.
        limits: see `Limits`.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor, self.limits, self.metrics = predictor, limits, Metrics()
        self.batcher: Batcher[Photo, Prediction] = Batcher(self._score, most=limits.batch, wait=limits.wait_ms / 1000)
        self._decoding = ThreadPoolExecutor(cores(), thread_name_prefix="decoding")
        self._waiting = 0

    async def answer(self, request: Request) -> Response:
        """A verdict, or the sentence why there is none."""
        start = time.perf_counter()
        try:
            response: Response = JSONResponse(await self._verdict(request))
        except Refusal as refusal:
            response = self._refused(refusal)
        except Exception:
            log.exception("a request failed")
            response = self._refused(broken())
        self.metrics.requests.labels(str(response.status_code)).inc()
        self.metrics.seconds.observe(time.perf_counter() - start)
        return response

    def close(self) -> None:
        """End what decodes, once nothing is waiting."""
        self._decoding.shutdown()

    async def _verdict(self, request: Request) -> dict[str, Any]:
        if self._waiting >= self.limits.waiting:
            raise busy(self._waiting)
        self._waiting += 1
        self.metrics.waiting.set(self._waiting)
        try:
            with_map = _wants_map(request)
            data = await receive(request, self.limits)
            loop = asyncio.get_running_loop()
            photo = await loop.run_in_executor(self._decoding, self._decode, data)
            prediction = await self.batcher(photo)
            self.metrics.verdicts.labels(prediction.verdict).inc()
            told = prediction.as_dict()
            return told | {"map": await loop.run_in_executor(self._decoding, _png, prediction)} if with_map else told
        finally:
            self._waiting -= 1
            self.metrics.waiting.set(self._waiting)

    def _decode(self, data: bytes) -> Photo:
        settings, most = self.predictor.settings, self.limits.megapixels
        pixels = _pixels(data)
        if pixels > most * 1e6:
            raise too_large(f"{pixels / 1e6:.1f} megapixels", f"{most:g} megapixels")
        found = photo_of_bytes(data, _NAME, image_size=settings.frame, in_channels=settings.in_channels)
        if isinstance(found, Unreadable):
            raise no_photo(found.reason)
        return found

    def _score(self, photos: Sequence[Photo]) -> list[Prediction]:
        self.metrics.batch.observe(len(photos))
        return self.predictor.score(photos)

    def _refused(self, refusal: Refusal) -> JSONResponse:
        self.metrics.failures.labels(refusal.kind).inc()
        headers = {"Retry-After": "1"} if refusal.status == 503 else None
        return JSONResponse({"error": refusal.sentence}, refusal.status, headers)


def create_app(predictor: Predictor, limits: Limits | None = None) -> FastAPI:
    """The service as an application: `POST /predict`, `GET /health`, `GET /metrics`."""
    service = Service(predictor, limits or Limits())

    @asynccontextmanager
    async def working(app: FastAPI) -> AsyncIterator[None]:
        async with service.batcher:
            yield
        service.close()

    app = FastAPI(title="anodice", lifespan=working, docs_url=None, redoc_url=None)  # their pages load from elsewhere

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        return await service.answer(request)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        settings = predictor.settings
        return {
            "status": "ok",
            "run": settings.run,
            "model": settings.model,
            "threshold": settings.threshold.sentence(),
        }

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> JSONResponse:
        known = "POST /predict, GET /health or GET /metrics"
        return JSONResponse({"error": f"expected {known}: {error.detail}."}, error.status_code)

    return app


def _wants_map(request: Request) -> bool:
    wanted = request.query_params.get("map", "false")
    if wanted not in ("true", "false"):
        raise malformed("and map=true or map=false beside it")
    return wanted == "true"


def _pixels(data: bytes) -> int:
    """What the header of a file says of its size; 0 where it says nothing, which decoding then finds out."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.width * image.height
    except Exception:  # Pillow's readers raise all sorts of errors on broken files
        return 0


def _png(prediction: Prediction) -> str:
    """The map over the photo as a PNG in base64."""
    file = io.BytesIO()
    prediction.overlay().save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
