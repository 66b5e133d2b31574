// From scores to classes, and from classes to the table of counts.

// y[n, i] = the class c of the largest x[n, c, i], the first of equals; a score that is
// not a number is larger than all others, as in np.argmax. One thread for each pixel:
// it walks over the C classes, which lie S numbers apart, S being the pixels of a map.
template <typename T>
__global__ void most_likely(const T* x, Index* y, Index N, Index C, Index S) {
    FOR_EACH(k, N * S) {
        Index n = k / S, i = k % S;
        const T* scores = x + n * C * S + i;
        Index best = 0;
        T so_far = scores[0];
        for (Index c = 1; c < C; c++) {
            T score = scores[c * S];
            bool is_nan = score != score, was_nan = so_far != so_far;
            if (was_nan || !(is_nan || score > so_far)) continue;
            best = c, so_far = score;
        }
        y[k] = best;
    }
}

// hist[t, p] += the pixels of true class t that were taken for class p. Many threads
// count in one place, so they take turns there; whole numbers add up to the same in any
// order. Behind the table, at hist[n n], predictions that are no class are counted.
__global__ void count_pairs(const Index* target, const Index* prediction,
                            unsigned long long* hist, Index size, Index n) {
    FOR_EACH(i, size) {
        Index t = target[i], p = prediction[i];
        if (t < 0 || t >= n) continue;  // 255: does not count
        bool wrong = p < 0 || p >= n;
        atomicAdd(&hist[wrong ? n * n : t * n + p], 1ULL);
    }
}
