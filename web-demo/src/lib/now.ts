/** The time, for what shows how long something goes on: one clock for the whole page, that ticks once a second. */
import { readonly, ref } from 'vue';

const clock = ref(Date.now());
setInterval(() => (clock.value = Date.now()), 1000);

export const now = readonly(clock);
