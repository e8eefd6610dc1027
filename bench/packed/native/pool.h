// A small persistent pool. Not OpenMP: PyTorch's wheel ships its own copy of that run-time library, and two copies in
// one process compete for the cores.
#pragma once

#include <functional>

namespace bisr {

// Calls task(item, worker) for every item in [0, items), on the calling thread and up to threads - 1 others; worker is
// in [0, threads) and no two concurrent calls share it. Items are handed out in order, one at a time. Returns when all
// are done. The task must not throw. Safe to call from several threads (they take turns) and after fork.
void parallel_for(int threads, int items, const std::function<void(int item, int worker)>& task);

} // namespace bisr
