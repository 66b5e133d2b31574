// The sum of each block's numbers, in shared memory; and the same done wrong.

template <typename T>
__global__ void block_sums(const T* x, T* sums, Index n) {
    __shared__ T part[256];
    Index t = threadIdx.x, i = blockIdx.x * (Index)blockDim.x + t;
    part[t] = i < n ? x[i] : T(0);
    __syncthreads();
    for (Index step = blockDim.x / 2; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}

// No thread waits before it reads what another writes.
template <typename T>
__global__ void without_first_barrier(const T* x, T* sums, Index n) {
    __shared__ T part[256];
    Index t = threadIdx.x, i = blockIdx.x * (Index)blockDim.x + t;
    part[t] = i < n ? x[i] : T(0);
    for (Index step = blockDim.x / 2; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}

template <typename T>
__global__ void without_second_barrier(const T* x, T* sums, Index n) {
    __shared__ T part[256];
    Index t = threadIdx.x, i = blockIdx.x * (Index)blockDim.x + t;
    part[t] = i < n ? x[i] : T(0);
    __syncthreads();
    for (Index step = blockDim.x / 2; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}

// Threads beyond n end, and the others wait for them.
template <typename T>
__global__ void ends_early(const T* x, T* sums, Index n) {
    __shared__ T part[256];
    Index t = threadIdx.x, i = blockIdx.x * (Index)blockDim.x + t;
    if (i >= n) return;
    part[t] = x[i];
    __syncthreads();  // line 48
    if (t == 0) sums[blockIdx.x] = part[0];
}

// Half of the threads wait at one barrier, half at another.
template <typename T>
__global__ void two_places(const T* x, T* sums, Index n) {
    if (threadIdx.x % 2) {
        __syncthreads();  // line 56
    } else {
        __syncthreads();
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = x[0];
}

// What shared memory holds when a block begins.
template <typename T>
__global__ void first_look(const T* x, T* seen, Index n) {
    __shared__ T part[256];
    FOR_EACH(i, n) {
        seen[i] = part[threadIdx.x];
        part[threadIdx.x] = x[i];
    }
}

__device__ void wait() { __syncthreads(); }

// The barrier stands in a helper.
__global__ void waits_in_helper(const Index* x, Index* y, Index n) {
    __shared__ Index part[256];
    Index i = blockIdx.x * (Index)blockDim.x + threadIdx.x;
    part[threadIdx.x] = i < n ? x[i] : 0;
    wait();
    if (i < n) y[i] = part[(threadIdx.x + 1) % blockDim.x];
}
