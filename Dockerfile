FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /kubat

COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt

COPY . .
# With --build-arg OTEL=1 it can hand over traces (docs/tracing.md).
ARG OTEL=
RUN if [ -n "$OTEL" ]; then pip install --no-cache-dir --constraint requirements-dev.txt ".[otel]"; fi
RUN useradd --system --no-create-home kubat \
    && install --directory --owner=kubat /media/kubat \
    && install --directory --owner=kubat --mode=700 /var/lib/kubat/ca /var/lib/kubat/tls
USER kubat

EXPOSE 8180
CMD ["python", "manage.py", "serve"]
