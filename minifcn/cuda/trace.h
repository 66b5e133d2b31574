// Pointers that note what is read and written through them; comes behind emulate.h.
//
// `cuda.trace` writes Traced<T> in the place of T* all through a .cu file. An access
// outside of the array is noted as well, and not done.
#pragma once
#include <type_traits>

typedef long long Index;  // as in kernel.h
extern "C" {
const Index* trace_sizes;  // how many numbers each argument has
}

namespace tracing {

struct Access {
    Index block, thread, array, index, is_write, is_outside, is_atomic;
};
static std::vector<Access> accesses;
static Index in_atomic = 0;

struct Atomic {  // while there is one, accesses are parts of an atomic
    Atomic() { in_atomic = 1; }
    ~Atomic() { in_atomic = 0; }
};

// Note an access; whether it can be done.
static bool note(Index array, Index index, Index size, bool is_write) {
    if (array < 0) return true;  // shared memory and the like: not followed
    bool outside = index < 0 || index >= size;
    accesses.push_back(
        {blockIdx.x, threadIdx.x, array, index, is_write, outside, in_atomic});
    return !outside;
}

template <typename U>
struct Traced;

// A pointer to what is only read: x[i] is a number.
template <typename U>
struct Traced<const U> {
    U* base;
    Index at, size, array;  // where it points; how many numbers; which argument
    Traced(const U* p, Index size = 0, Index array = -1)
        : base((U*)p), at(0), size(size), array(array) {}
    U operator[](Index i) const {
        return note(array, at + i, size, false) ? base[at + i] : U();
    }
    U operator*() const { return (*this)[0]; }
    void operator+=(Index i) { at += i; }
    void operator++(int) { at++; }
    Traced operator+(Index i) const {
        Traced moved = *this;
        moved.at += i;
        return moved;
    }
    Traced operator-(Index i) const { return *this + -i; }
};

// A number that may be written: y[i].
template <typename U>
struct Place {
    const Traced<U>& pointer;
    Index i;
    operator U() const { return ((const Traced<const U>&)pointer)[i]; }
    U operator=(U value) const {
        if (note(pointer.array, pointer.at + i, pointer.size, true))
            pointer.base[pointer.at + i] = value;
        return value;
    }
    U operator=(const Place& other) const { return *this = (U)other; }
    U operator+=(U value) const { return *this = (U)*this + value; }
    U operator-=(U value) const { return *this = (U)*this - value; }
    U operator*=(U value) const { return *this = (U)*this * value; }
    U operator/=(U value) const { return *this = (U)*this / value; }
    U operator++(int) const {
        U before = *this;
        *this = before + 1;
        return before;
    }
    Traced<U> operator&() const { return pointer + i; }
};

template <typename U>
struct Traced : Traced<const U> {
    Traced(U* p, Index size = 0, Index array = -1) : Traced<const U>(p, size, array) {}
    Traced(const Traced<const U>& other) : Traced<const U>(other) {}
    Place<U> operator[](Index i) const { return {*this, i}; }
    Place<U> operator*() const { return {*this, 0}; }
    Traced operator+(Index i) const { return (const Traced<const U>&)*this + i; }
    Traced operator-(Index i) const { return *this + -i; }
};

}  // namespace tracing

using tracing::Traced;

template <typename U>
static U atomicAdd(Traced<U> place, U value) {
    tracing::Atomic turn;
    U before = place[0];
    place[0] = before + value;
    return before;
}

template <typename U>
static U atomicMax(Traced<U> place, U value) {
    tracing::Atomic turn;
    U before = place[0];
    place[0] = max(before, value);
    return before;
}
