#include "pool.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace bisr {
namespace {

class Pool {
  public:
    void run(int threads, int items, const std::function<void(int, int)>& task) {
        const std::lock_guard<std::mutex> turn(turn_);
        for (; workers_ < threads - 1; ++workers_) {
            std::thread(&Pool::work, this).detach();
        }
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            task_ = &task;
            items_ = items;
            next_ = 0;
            free_slots_ = threads - 1;
            threads_ = threads;
        }
        wake_.notify_all();
        drain(task, items, 0);
        // Only those that have begun are waited for: a worker that wakes late finds no slot.
        std::unique_lock<std::mutex> lock(mutex_);
        free_slots_ = 0;
        done_.wait(lock, [this] { return active_ == 0; });
    }

  private:
    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return free_slots_ > 0; });
            const int worker = threads_ - free_slots_--;
            const auto& task = *task_;
            const int items = items_;
            ++active_;
            lock.unlock();
            drain(task, items, worker);
            lock.lock();
            if (--active_ == 0) {
                done_.notify_one();
            }
        }
    }

    void drain(const std::function<void(int, int)>& task, int items, int worker) {
        for (int item = next_++; item < items; item = next_++) {
            task(item, worker);
        }
    }

    std::mutex turn_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::atomic<int> next_{0};
    const std::function<void(int, int)>* task_ = nullptr;
    int items_ = 0, threads_ = 0, free_slots_ = 0, active_ = 0, workers_ = 0;
};

// Never destroyed: its threads run until the process ends. A forked child has none of them and starts a new pool.
std::atomic<Pool*> g_pool{nullptr};

Pool& shared_pool() {
    static const bool registered = [] {
        g_pool = new Pool;
        pthread_atfork(nullptr, nullptr, [] { g_pool = new Pool; });
        return true;
    }();
    (void)registered;
    return *g_pool;
}

} // namespace

void parallel_for(int threads, int items, const std::function<void(int item, int worker)>& task) {
    if (threads > items) {
        threads = items;
    }
    if (threads > 1) {
        shared_pool().run(threads, items, task);
        return;
    }
    for (int item = 0; item < items; ++item) {
        task(item, 0);
    }
}

} // namespace bisr
