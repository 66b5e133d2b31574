// Kernels to be launched rightly and wrongly.

/* __global__ void asleep(float* x) {
} */

// y = a * x, __syncthreads() not needed
template <typename T>
__global__ void __launch_bounds__(256) scale(const T* x, T* y, Index n, T a) {
    FOR_EACH(i, n) y[i] = a * x[i];
}

__global__ void flags(const unsigned char* x, Index* y, Index n, bool up,
                      unsigned long long key) {
    FOR_EACH(i, n) y[i] = up ? x[i] + (Index)key : x[i];
}

// Where each thread's first item lies, were the grid as large as said: 64 bits or less?
__global__ void places(const Index* blocks, Index* y, Index n) {
    FOR_EACH(i, n) {
        unsigned keptBlock = blockIdx.x;
        blockIdx.x = (unsigned)blocks[i];
        FOR_EACH(first, 1LL << 62) {
            y[i] = first;
            break;
        }
        blockIdx.x = keptBlock;
    }
}

// How often each item is visited, and by which block and thread.
__global__ void visits(Index* count, Index* block, Index* order, Index* clock,
                       Index n) {
    FOR_EACH(i, n) {
        count[i] += 1;
        block[i] = blockIdx.x;
        order[i] = clock[0]++;
    }
}
