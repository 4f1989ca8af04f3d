/* The model in C: what the processor itself allows. One server, requests one by one, one configuration. */
#include <math.h>
#include <stdint.h>

typedef struct { double virtual_s, virtual_at_s, busy_s, busy_at_s; int64_t n, head, tail, rejections; } state;

static void put(double *tag, double *since, int64_t n, double leaves, double arrival) {
    while (n > 0 && tag[n - 1] <= leaves) { tag[n] = tag[n - 1]; since[n] = since[n - 1]; n--; }
    tag[n] = leaves; since[n] = arrival; /* the next to leave stands last */
}

int64_t serve(const double *arrival_s, const double *demand_s, int64_t arrivals, double until_s, int64_t limit,
              int64_t queue_limit, const double *speed, const double *busy, state *saved, double *tag,
              double *since, double *queue, double *latency_s) {
    state s = *saved;
    int64_t completions = 0, arrived = 0;
    double departure = INFINITY;
    if (s.n > 0) departure = s.virtual_at_s + fmax(0.0, tag[s.n - 1] - s.virtual_s) / speed[s.n];
    for (;;) {
        double arrival = arrived < arrivals ? arrival_s[arrived] : INFINITY;
        if (departure <= arrival) {
            if (departure > until_s || departure == INFINITY) break;
            s.busy_s += busy[s.n] * (departure - s.busy_at_s);
            s.virtual_at_s = s.busy_at_s = departure;
            latency_s[completions++] = departure - since[s.n - 1];
            s.virtual_s = s.n > 1 ? tag[s.n - 1] : 0.0;
            s.n--;
            while (s.head < s.tail && s.n < limit) {
                put(tag, since, s.n++, s.virtual_s + queue[2 * s.head + 1], queue[2 * s.head]);
                s.head++;
            }
            if (s.n == 0) { departure = INFINITY; continue; }
        } else {
            arrived++;
            if (s.n >= limit) {
                if (s.tail - s.head < queue_limit) {
                    queue[2 * s.tail] = arrival; queue[2 * s.tail + 1] = demand_s[arrived - 1]; s.tail++;
                } else s.rejections++;
                continue;
            }
            s.busy_s += busy[s.n] * (arrival - s.busy_at_s);
            s.virtual_s += speed[s.n] * (arrival - s.virtual_at_s);
            s.virtual_at_s = s.busy_at_s = arrival;
            put(tag, since, s.n++, s.virtual_s + demand_s[arrived - 1], arrival);
        }
        departure = s.virtual_at_s + fmax(0.0, tag[s.n - 1] - s.virtual_s) / speed[s.n];
    }
    s.busy_s += busy[s.n] * (until_s - s.busy_at_s);
    s.busy_at_s = until_s;
    *saved = s;
    return completions;
}
