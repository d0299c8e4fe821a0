#pragma once
// A configuration in which every key occurs. When the loader learns a key, add it here and to config/schema.json;
// schema_test.cpp fails until both are done.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tollgate::testing {

/// A file that holds the credential "sk-from-file" and a line break; gone when the test program ends.
inline std::string credential_file() {
  struct File {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("tollgate-credential-" + std::to_string(::getpid()));
    File() { std::ofstream(path) << "sk-from-file\n"; }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { std::filesystem::remove(path); }
  };
  static const File file;
  return file.path.string();
}

// The hashes are those of "tg-web" and "tg-batch".
inline const std::string every_key = R"(version: 1
server:
  listen: "0.0.0.0:8088"
  reactors: 2
  head_bytes_max: 16384
  body_bytes_max: 1048576
  nesting_max: 64
  connections_max: 100
  head_timeout_seconds: 1.5
  body_timeout_seconds: 2
  idle_timeout_seconds: 3
  write_timeout_seconds: 4
  keepalive_comment_seconds: 0
  drain_seconds: 6
admin: {listen: "10.1.2.3:9191", keys: [{name: prometheus, sha256: "abababababababababababababababababababababababababababababababab"}]}
ledger: {url: "sqlite:/var/lib/tollgate/ledger.db", commit_interval_ms: 20, open_requests_max: 1024, keep_days: 400, features: false}
log: {format: json, level: warn, access: false}
prices: {stale_after_days: 60}
tiers: {medium: 0.2, complex: 0.5, reasoning: 0.9}
attempts_max: 4
air_gap: true
auth:
  keys:
    - {name: web-app, team: web, sha256: e4c4101aaf32d7045095e1d332af2cc9c6d7d87bdd4ac28a7a95588b803b5687, models: [auto, "home/*"]}
    - {name: batch, sha256: 51d9c449b2b24f8edf37d5e98509ab2e523bd5be1a4965f9f86da0129d13e226}
backends:
  home:
    dialect: vllm
    url: http://gpu-a:8000
    api_key: ${SECRET}
    trust: internal
    labels: {region: eu}
    pool: {billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: "2.49", ops_usd_per_month: "2000", saturation_tokens_per_second: 9000}
    engine: {metrics: on, path: /prometheus/metrics, interval_seconds: 0.5, per_request_metrics: true}
    timeouts: {connect_seconds: 0.25, first_byte_seconds: 10, silence_seconds: 20, total_seconds: 30}
    retry: {retries: 1, first_wait_seconds: 0.1, wait_seconds_max: 2, on: [busy, timeout], prefer: same_target}
    breaker: {failures: 3, unreachable_failures: 2, open_seconds: 1, open_seconds_max: 10}
    transport: curl
    models:
      llama:70b/q4:
        upstream: meta-llama/Llama-3.3-70B-Instruct
        context_tokens: 131072
        output_tokens_max: 4096
        capability: 0.6
        tools: false
        images: true
        json_schema: false
        serves: [chat, completions]
        concurrency_max: 16
  near:
    dialect: openai
    url: https://gateway.internal/v1
    api_key_file: ${KEY_FILE}
    models:
      gpt:
        prices:
          input_usd_per_million_tokens: "2.50"
          output_usd_per_million_tokens: 10
          cached_input_usd_per_million_tokens: 1.25
          cache_write_usd_per_million_tokens: "3.125"
          usd_per_request: "0.001"
          long_input:
            above_input_tokens: 200000
            input_usd_per_million_tokens: "5"
            output_usd_per_million_tokens: 15
            cached_input_usd_per_million_tokens: "2.5"
            cache_write_usd_per_million_tokens: "6.25"
          service_tiers:
            flex: {input_usd_per_million_tokens: "1.25", output_usd_per_million_tokens: "5", long_input: {above_input_tokens: 9, input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "9"}}
          timed:
            - from: "2027-01-01"
              daily: "16:30-00:30"
              weekdays: [mon, sat]
              prices:
                input_usd_per_million_tokens: "2"
                output_usd_per_million_tokens: "8"
                long_input: {above_input_tokens: 9, input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "9"}
                service_tiers:
                  batch: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "4", long_input: {above_input_tokens: 9, input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "9"}}
      pictures:
        serves: images
        prices: {usd_per_image: {"1024x1024/hd": "0.08", auto: "0.04"}, usd_per_request: "0"}
      ears: {serves: transcriptions, prices: {usd_per_audio_minute: "0.006"}}
      voice: {serves: speech, prices: {usd_per_million_characters: "15"}}
      files: {serves: files, prices: {usd_per_request: "0"}}
  simulated-gpu:
    dialect: vllm
    simulated:
      personality: vllm
      seed: 7
      slots: 8
      prefill_tokens_per_second: 1000
      decode_tokens_per_second: 50
      decode_tokens_per_second_total: 200
      output_tokens_mean: 50
    pool:
      billing: owned
      gpu: H100
      gpus: 8
      purchase_usd: "280000"
      residual_usd: "40000"
      life_years: 3
      power_kw: "10.2"
      pue: "1.4"
      usd_per_kwh: "0.10"
      colocation_usd_per_month: "1500"
      ops_usd_per_month: "2000"
      replicas: 3
      gateways: 2
      billed_while_down: false
      attribution: tokens
      prefill_tokens_per_second: 12000
      decode_tokens_per_second: 2000
    models: {llama: {}}
  burst:
    dialect: vllm
    url: http://10.0.0.7
    pool:
      billing: serverless
      gpus: 1
      usd_per_gpu_second: "0.001097"
      cold_start_seconds: 20
      cold_start_billed: false
      idle_timeout_seconds: 5
      min_billed_seconds: 60
      increment_seconds: 1
      workers_max: 4
      requests_per_worker: 8
    models: {llama: {}}
  calls:
    dialect: openai
    url: http://10.0.0.8
    api_keys: ["sk-first", "${SECRET}"]
    pool: {billing: reported, gpus: 1, usd_per_gpu_second: "0.000725", billed_seconds: {header: X-Billed-Ms, unit: ms}}
    models: {llama: {}}
  predictions:
    dialect: openai
    url: http://10.0.0.9
    pool: {billing: reported, gpus: 1, usd_per_gpu_second: "0.000725", billed_seconds: {json: metrics.predict_time}}
    models: {llama: {}}
  blue:
    dialect: azure-openai
    url: https://azure.internal
    api_version: 2024-10-21
    auth: entra_token
    api_key: ${SECRET}
    drop_unsupported: true
    responses: true
    reported_costs: true
    models: {gpt: {upstream: my-deployment}}
  rock:
    dialect: bedrock
    url: https://bedrock.internal
    aws: {region: eu-central-1, access_key_id: AKID, secret_access_key: "${SECRET}", session_token: "${SECRET}"}
    models: {haiku: {}}
baselines:
  - {name: frontier, target: near/gpt}
  - {name: cheapest-host, cheapest_of: [near/gpt, "home/llama:70b/q4"]}
complexity: {correction: correction.json}
format_checks: {share: 0.5}
shadow: {share: 0.1, target: near/gpt, judge: near/gpt, concurrency_max: 1, waiting_max: 8, judge_output_tokens: 200}
feedback: {comments: true}
shared: {url: "rediss://cache:6380/1", user: gate, password_file: "${KEY_FILE}", ca_file: /etc/ssl/ca.pem, key_prefix: "tg:", gateway: gw-1, on_loss: local, timeout_seconds: 2,
  report_seconds: 0.5, grant_wait_seconds: 4, grace_seconds: 3, gateways_min: 2}
budgets:
  - name: web-month
    key: [web-app, "bat*"]
    team: web
    model: auto
    route: [auto, direct]
    target: "near/*"
    limit_usd: "500"
    per: month
    time_zone: Europe/Berlin
    mode: soft
    when_over: cheaper
    wait_seconds: 2.5
    unpriced_usd: "0.05"
  - {name: all-day, limit_usd: 20, rolling: 24h}
limits:
  - {name: each-key, each: key, key: "*", team: [web], model: auto, route: [auto], requests_per_minute: 60, tokens_per_minute: 100000, concurrent_requests: 8}
constraints:
  - name: phi-stays-home
    when: {header: {x-data-class: phi}, metadata: {purpose: care}}
    require: {trust: internal, region: [eu, ch]}
  - name: personal-data-masked
    when: {pii: [email, card, secret], keywords: [confidential, "vertraulich"]}
    action: mask
    restore: true
routes:
  - name: auto
    when:
      model: [auto, "gpt-*"]
      header: {X-Data-Class: [phi, pii], x-tier: gold, x-any: "*"}
      team: web
      key: [web-app]
      tier: [MEDIUM, REASONING]
      complexity: {from: 0.25, below: 0.75}
      input_tokens: {from: 10, below: 1000}
      tools: true
      images: false
      json_output: true
      stream: false
      user: "alice-*"
      metadata: {purpose: [eval, batch]}
      time: {from: "22:00", to: "06:00", days: [weekdays, sun], utc_offset: "+01:00"}
      load: {of: near/gpt, from: 0.5, below: 1.5}
    choose: weighted
    cost_basis: loaded
    min_capability: 0.2
    first_token_ms: 800
    deadline_ms: 20000
    sticky: true
    cascade: true
    cache: {max_age_seconds: 3600, scope: key, sampled: false}
    autopilot: false
    on_content_filter: next_target
    retry: {retries: 3, first_wait_seconds: 0.2, wait_seconds_max: 4, on: busy, prefer: other_target}
    among: [{target: near/gpt, weight: 3}, "*"]
  - name: hedged
    hedge: {percentile: 90, after_seconds_min: 0.1, after_seconds_max: 5, unlearned_after_seconds: 1, samples_min: 30, share_max: 0.1}
spill_over: {waiting_requests: 8, kv_cache_share: 0.9, back_at: 0.7}
sticky: {ttl_seconds: 600}
passthrough: {body_bytes_max: 268435456, spool_dir: /tmp, spool_bytes_max: 1073741824, objects: shared}
cache: {bytes_max: 33554432, answer_bytes_max: 262144}
autopilot: {margin: 0.3, dwell_seconds: 30, window_seconds: 90, trial_seconds: 600}
outliers: {window_seconds: 10, attempts_min: 5, failed_share: 0.4, eject_seconds: 5, ejected_share_max: 0.3}
)";

}  // namespace tollgate::testing
