# The gateway as a container image: built in the first stage, run by the second, which has the program, its libraries and nothing to build with.
#
#    docker build -t tollgate:0.1.0 .
#    docker run --read-only -p 127.0.0.1:8080:8080 -v ./tollgate.yaml:/etc/tollgate/tollgate.yaml:ro -v ledger:/var/lib/tollgate tollgate:0.1.0
#
# The base is pinned by version; pin it by digest as well where your registry is not trusted with tags:
#    --build-arg BASE=debian:12.11-slim@sha256:…
ARG BASE=debian:12.11-slim

FROM ${BASE} AS build
# x86-64-v3 needs AVX2 (machines since 2013); x86-64-v2 runs anywhere, slower.
ARG TOLLGATE_MARCH=x86-64-v3
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ cmake ninja-build pkg-config libboost1.81-dev libcurl4-openssl-dev libssl-dev \
      prometheus-cpp-dev nlohmann-json3-dev libsimdjson-dev libyaml-cpp-dev libre2-dev libsqlite3-dev libpq-dev libhiredis-dev libcli11-dev libspdlog-dev libfmt-dev \
      zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -DTOLLGATE_TESTS=OFF -DTOLLGATE_BENCH=OFF -DTOLLGATE_UNITY=8 -DTOLLGATE_MARCH=${TOLLGATE_MARCH} \
 && cmake --build build/release --target tollgate \
 && install -D --strip build/release/tollgate /out/usr/bin/tollgate

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tzdata libcurl4 libssl3 libprometheus-cpp-core1.0 libsimdjson14 \
      libyaml-cpp0.7 libre2-9 libsqlite3-0 libpq5 libhiredis0.14 libspdlog1.10 libfmt9 zlib1g libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /var/cache/ldconfig/aux-cache \
 && groupadd --system --gid 10001 tollgate \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/tollgate --no-create-home --shell /usr/sbin/nologin tollgate \
 && install -d -m 0750 -o 10001 -g 10001 /var/lib/tollgate && install -d -m 0755 /etc/tollgate
COPY --from=build /out/ /
# A library that the list above forgot is noticed here, not at the first start.
RUN tollgate --version
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/tollgate
ENV TOLLGATE_CONFIG=/etc/tollgate/tollgate.yaml
EXPOSE 8080 9090
VOLUME /var/lib/tollgate
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["tollgate", "healthcheck", "--quiet"]
ENTRYPOINT ["tollgate"]
CMD ["serve"]
