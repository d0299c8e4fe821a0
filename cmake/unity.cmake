# Files compiled several at a time: most of a clean build's time goes into reading and instantiating the same headers again. A changed
# file then takes its neighbours along, so TOLLGATE_UNITY=0 suits who works on the code.
#
# Names in an unnamed namespace meet in such a unit. A file whose names are taken by another one of its library is compiled alone:
# where the compiler complains of a redefinition with TOLLGATE_UNITY, rename, share the declaration, or add the file here.
set(TOLLGATE_UNITY 0 CACHE STRING "How many files are compiled at a time: 8 for the shortest clean build, 0 for the shortest rebuild")
set(TOLLGATE_COMPILED_ALONE
  advice/decision.cpp advice/ledger_workload.cpp advice/score_use.cpp
  backends/bedrock.cpp backends/curl_transport.cpp backends/engine_metrics.cpp backends/engine_timings.cpp backends/health.cpp
  backends/job_transport.cpp backends/native_messages.cpp backends/openai.cpp backends/responses_answer.cpp backends/responses_request.cpp
  backends/simulator/foreign_ask.cpp backends/simulator/foreign_wire.cpp backends/simulator/invent_json.cpp
  backends/simulator/responses_ask.cpp backends/simulator/responses_wire.cpp backends/simulator/service.cpp backends/simulator/tokens.cpp
  backends/simulator/wire.cpp backends/splice.cpp backends/usage_scanner.cpp
  config/as_written.cpp config/check.cpp config/dialects.cpp config/load_budgets.cpp config/load_choice.cpp config/load_routes.cpp
  config/load_server.cpp config/load_shared.cpp config/load_targets.cpp config/prices/import.cpp config/remarks.cpp config/spelling.cpp
  gateway/admin/advice_board.cpp gateway/admin/live_view.cpp gateway/admin/server.cpp gateway/admin/streams.cpp gateway/admin/tool_run.cpp
  gateway/admin/warm.cpp gateway/admin/what_if.cpp gateway/answer_check.cpp gateway/answer_copy.cpp gateway/answer_review.cpp
  gateway/break_even_series.cpp gateway/cache_counts.cpp gateway/cli/advise_html.cpp gateway/cli/advise_print.cpp
  gateway/cli/calibrate_print.cpp gateway/cli/costs.cpp gateway/cli/outcomes.cpp gateway/cli/prove.cpp gateway/cli/simulate.cpp
  gateway/cli/simulate_print.cpp gateway/cli/svg_chart.cpp gateway/cli/time_spec.cpp gateway/constraint_counts.cpp gateway/feedback.cpp
  gateway/gateway_series.cpp gateway/own_call.cpp gateway/parse_chat.cpp gateway/relay.cpp gateway/resilience_counts.cpp
  gateway/routing_counts.cpp gateway/schema_check.cpp gateway/shadow.cpp gateway/shadow_run.cpp gateway/upstream_limits.cpp
  gateway/warm_up.cpp
  metrics/budget_history.cpp metrics/costs_query.cpp metrics/day_sums.cpp metrics/ledger_schema.cpp metrics/ledger_sqlite.cpp
  metrics/outcomes_query.cpp metrics/pool_file.cpp metrics/pool_hours_query.cpp metrics/pool_recorder.cpp metrics/prove.cpp
  metrics/rate_sharing.cpp metrics/shared/redis_link.cpp metrics/shared/redis_store.cpp
  router/correction.cpp router/text_scan.cpp router/worst_case.cpp
  simulate/run.cpp
  tests/unit/backends/anthropic_test.cpp tests/unit/backends/bedrock_test.cpp tests/unit/backends/connect_watch_test.cpp
  tests/unit/backends/gemini_test.cpp tests/unit/backends/inbound_test.cpp tests/unit/backends/stream_of_test.cpp
  tests/unit/config/budgets_test.cpp tests/unit/config/decimal_test.cpp tests/unit/config/dialect_test.cpp
  tests/unit/config/interpolate_test.cpp tests/unit/config/keywords_test.cpp tests/unit/config/load_choice_test.cpp
  tests/unit/config/load_test.cpp tests/unit/config/reach_remarks_test.cpp tests/unit/config/route_remarks_test.cpp
  tests/unit/config/shared_test.cpp
  tests/unit/gateway/attempt_policy_test.cpp tests/unit/gateway/cache_key_test.cpp tests/unit/gateway/cache_use_test.cpp tests/unit/gateway/conversations_test.cpp
  tests/unit/gateway/explain_state_test.cpp tests/unit/gateway/feedback_test.cpp tests/unit/gateway/hedge_race_test.cpp
  tests/unit/gateway/restore_events_test.cpp tests/unit/gateway/routing_counts_test.cpp tests/unit/gateway/time_spec_test.cpp
  tests/unit/metrics/budgets_property_test.cpp tests/unit/metrics/budgets_test.cpp tests/unit/metrics/conservation_test.cpp
  tests/unit/metrics/ledger_retention_test.cpp tests/unit/metrics/outcomes_test.cpp tests/unit/metrics/pool_prices_test.cpp
  tests/unit/metrics/pool_restart_test.cpp tests/unit/metrics/rate_limits_test.cpp tests/unit/metrics/serverless_workers_test.cpp
  tests/unit/metrics/shard_test.cpp tests/unit/metrics/sharing_test.cpp
  tests/unit/router/guard_property_test.cpp tests/unit/router/steering_test.cpp
  tests/unit/simulate/steering_test.cpp
  tests/unit/training/rows_test.cpp
)

function(tollgate_unity target)
  if(TOLLGATE_UNITY LESS 2)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${TOLLGATE_UNITY})
  # A name of one file hides nothing that its author could see, and what is included is no header here.
  target_compile_options(${target} PRIVATE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(source ${ARGN})
    if("${folder}/${source}" IN_LIST TOLLGATE_COMPILED_ALONE)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()
