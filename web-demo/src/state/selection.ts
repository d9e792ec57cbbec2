/** What the reader chose to look at; the stage, the agents list and the feed share it. */
import { ref } from 'vue';

/** The agent whose entries the feed shows; empty for all. */
export const selectedAgent = ref('');
