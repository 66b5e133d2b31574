// CUDA's threads on a CPU: as much of CUDA as the kernels here use, for any compiler of
// C++.
//
// A launch runs its blocks one after the other, in shuffled order, and within a block
// its threads, in shuffled order too. A kernel without barriers is a plain function
// that is called once for each thread. With barriers each thread is a fiber: it runs
// until its next __syncthreads, and goes on when all threads of the block are there.
// So a kernel that forgets a barrier reads what another thread has not yet written.
//
// Shared memory holds random bits when a block begins, as on a GPU it holds anything:
// `cuda.host` writes SHARED(sums); behind each `__shared__ float sums[256];`.
#pragma once
#if defined(__APPLE__) && !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700  // else there is no ucontext
#define _DARWIN_C_SOURCE
#endif
#include <algorithm>
#include <math.h>  // with exp, log, pow and sqrt of float too
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <ucontext.h>
#include <vector>

#if defined(__has_feature) && !defined(__SANITIZE_ADDRESS__)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1  // clang's way to say it
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__ static
#define __device__ static inline
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)
#define __syncthreads() emulation::pause(__LINE__)
#define SHARED(name) emulation::begin_shared(&name, sizeof name)

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

using std::max;
using std::min;

template <typename T>
static T atomicAdd(T* place, T value) {  // one thread runs at a time
    T before = *place;
    *place = before + value;
    return before;
}

template <typename T>
static T atomicMax(T* place, T value) {
    T before = *place;
    *place = max(before, value);
    return before;
}

namespace emulation {

const size_t STACK = 64 * 1024;  // bytes for each fiber

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(STACK);
    bool ended = false;
    int line = 0;  // of the barrier where it waits
    void* fake_stack = nullptr;
};

static ucontext_t scheduler;
static std::vector<Fiber> fibers;
static Fiber* running = nullptr;
static std::mt19937 random_bits;
static std::vector<void*> begun;  // the shared arrays that this block has seen
static void (*body)(void*);
static void* arguments;
static const void* own_stack;  // of the scheduler, for AddressSanitizer
static size_t own_size;

static void leave(void** fake_stack, const void* stack, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
#endif
}

static void arrive(void* fake_stack, const void** stack, size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, stack, size);
#endif
}

static void begin() {
    arrive(nullptr, &own_stack, &own_size);
    body(arguments);
    running->ended = true;
    leave(nullptr, own_stack, own_size);
    swapcontext(&running->context, &scheduler);
}

static void pause(int line) {
    Fiber* self = running;
    self->line = line;
    leave(&self->fake_stack, own_stack, own_size);
    swapcontext(&self->context, &scheduler);
    arrive(self->fake_stack, &own_stack, &own_size);
}

static void resume(Fiber& fiber) {
    void* fake_stack = nullptr;
    running = &fiber;
    leave(&fake_stack, fiber.stack.data(), STACK);
    swapcontext(&scheduler, &fiber.context);
    arrive(fake_stack, nullptr, nullptr);
}

// Fill a shared array with random bits: the first thread of a block that comes by.
static void begin_shared(void* array, size_t bytes) {
    if (std::find(begun.begin(), begun.end(), array) != begun.end()) return;
    begun.push_back(array);
    for (size_t i = 0; i < bytes; i++) ((unsigned char*)array)[i] = random_bits();
}

// Run one block of fibers. 0, or the line of a barrier that some threads reach and
// others do not: they have ended, or wait elsewhere.
static int run_fibers(const std::vector<unsigned>& order) {
    fibers.resize(order.size());
    for (Fiber& fiber : fibers) {
        fiber.ended = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, begin, 0);
    }
    for (size_t ended = 0; ended < fibers.size();) {
        ended = 0;
        int first = 0, last = 0;  // lines of the barriers where threads wait
        for (unsigned t : order) {  // each as far as its next barrier
            threadIdx.x = t;
            resume(fibers[t]);
            ended += fibers[t].ended;
            if (fibers[t].ended) continue;
            first = first ? min(first, fibers[t].line) : fibers[t].line;
            last = max(last, fibers[t].line);
        }
        if (first != last || (ended > 0 && ended < fibers.size())) return first;
    }
    return 0;
}

static std::vector<unsigned> shuffled(unsigned count) {
    std::vector<unsigned> order(count);
    for (unsigned i = 0; i < count; i++) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_bits);
    return order;
}

// Launch: call body(arguments) as every thread of the grid. 0, or the line of a barrier
// that not all threads of a block reach.
static int launch(unsigned blocks, unsigned threads, unsigned seed, bool barriers,
                  void (*function)(void*), void* given) {
    random_bits.seed(seed);
    gridDim.x = blocks, blockDim.x = threads;
    body = function, arguments = given;
    std::vector<unsigned> order = shuffled(threads);
    for (unsigned block : shuffled(blocks)) {
        blockIdx.x = block;
        begun.clear();
        if (barriers) {
            order = shuffled(threads);
            if (int line = run_fibers(order)) return line;
        } else {
            for (unsigned t : order) threadIdx.x = t, function(given);
        }
    }
    return 0;
}

}  // namespace emulation
