#pragma once
// Connects the pipeline with the brokers and the store: one loop.

#include "worker/catalogue/catalogue.h"
#include "worker/shell/worker_settings.h"

/// Run until SIGTERM, SIGINT or a broker's drain. The exit status: 0; 78 (EX_CONFIG) when keys,
/// endpoints or Redis' rights are wrong; 1 on other failures. catalogue must outlive the call.
int worker_run(const struct worker_settings *settings, const struct catalogue *catalogue);
