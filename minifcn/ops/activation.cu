// ReLU and dropout: each thread does its own elements.

// y = max(x, 0); not a number stays so.
template <typename T>
__global__ void relu(const T* x, T* y, Index n) {
    FOR_EACH(i, n) y[i] = x[i] <= 0 ? T(0) : x[i];
}

// gx = gy where the output was positive.
template <typename T>
__global__ void relu_backward(const T* y, const T* gy, T* gx, Index n) {
    FOR_EACH(i, n) gx[i] = y[i] > 0 ? gy[i] : T(0);
}

// A number that looks random, and is always the same for the same counter: so every
// thread has its own without asking the others. Source: Steele et al. 2014, splitmix64.
__device__ unsigned long long mixed(unsigned long long counter) {
    unsigned long long z = counter * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// y = x / (1 - p), or 0 with probability p. Backward is the same with the same key.
template <typename T>
__global__ void dropout(const T* x, T* y, Index n, double p, unsigned long long key) {
    FOR_EACH(i, n) {
        // The upper 53 bits, as a number from 0 to 1.
        double drawn = (mixed(key + i) >> 11) * 0x1p-53;
        y[i] = drawn < p ? T(0) : x[i] * T(1 / (1 - p));
    }
}
