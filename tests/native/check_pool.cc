// The thread pool under several callers at once: each item runs once, no two calls share a worker's number. Built with the
// thread sanitizer, which ends the program at a race.
#include "pool.h"

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> failed{false};

void call(int seed) {
    for (int round = 0; round < 40; ++round) {
        const int threads = 1 + (seed + round) % 4, items = (seed * 7 + round) % 23;
        std::vector<int> runs(items), busy(threads); // plain memory: a worker that overlaps another is a race
        bisr::parallel_for(threads, items, [&](int item, int worker) {
            ++busy[worker];
            ++runs[item];
            busy[worker] += round;
        });
        for (const int count : runs) {
            if (count != 1) {
                failed = true;
            }
        }
    }
}

} // namespace

int main() {
    std::vector<std::thread> callers;
    for (int seed = 0; seed < 3; ++seed) {
        callers.emplace_back(call, seed);
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    std::puts(failed ? "an item did not run once" : "every item ran once");
    return failed ? 1 : 0;
}
