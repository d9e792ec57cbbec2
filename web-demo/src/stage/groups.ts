/** The stage's groups: one for each project that anything goes on in. */
import { computed } from 'vue';
import { agentOfTask, agents, mainProject, progressOf, projects, runs, taskOfAgent, tasks, tasksByAgent } from '../state/overview';
import { projectName } from '../state/describe';
import { asking } from '../state/questions';
import { parentOf } from '../state/runs';
import { selectedProject, selectedRun } from '../state/selection';
import { ended } from '../state/status';
import { state } from '../state/store';
import type { Run } from '../state/types';
import { toolOf } from './glimpses';
import { PM_IDS, type Group } from './layout';

/** The run that a group without a name of its own goes by: the chosen one, else the one that goes on or was last heard of. */
function runOf(projectId: string): Run | undefined {
  const chosen = state.value.runs.get(selectedRun.value);
  if (chosen?.projectId === projectId) return chosen;
  return runs.value.find((run) => run.projectId === projectId && !parentOf(run) && (run.kind !== 'job' || !ended(run.status)));
}

/** A project that somebody named; or its run, whose name says more than an id. */
function nameOf(projectId: string): string {
  if (selectedRun.value) return runOf(projectId)?.name ?? '';
  const isNamed = projectId !== '' && typeof state.value.projects.get(projectId)?.facts.name === 'string';
  if (isNamed) return projectName(state.value, projectId);
  return runOf(projectId)?.name ?? (projectId ? projectName(state.value, projectId) : '');
}

export const groups = computed<Group[]>(() => {
  const byProject = new Map<string, Group>();
  const groupOf = (projectId: string): Group => {
    let group = byProject.get(projectId);
    if (!group) {
      const project = projectId ? state.value.projects.get(projectId) : null;
      group = {
        projectId, name: nameOf(projectId), progress: project && !selectedRun.value ? progressOf(project) : null, managed: false, agents: [], waiting: [],
      };
      byProject.set(projectId, group);
    }
    return group;
  };
  for (const agent of agents.value) {
    // Agents that work for all projects stand together, whatever they work at now: nobody runs from group to group.
    const group = groupOf(agent.projectId || selectedProject.value);
    if (PM_IDS.includes(agent.id)) group.managed = true;
    else group.agents.push({ agent, task: taskOfAgent(agent), tasks: tasksByAgent.value.get(agent.key) ?? [], tool: toolOf(agent), asks: asking.value.has(agent.key) });
  }
  for (const task of tasks.value) {
    const key = agentOfTask(state.value, task);
    const hasAgent = key !== null && state.value.agents.has(key);
    if (!hasAgent && task.status !== 'done') (byProject.get(task.projectId) ?? byProject.get('') ?? groupOf(task.projectId)).waiting.push(task);
  }
  // A project in which nothing goes on yet is there all the same.
  if (byProject.size === 0 && mainProject.value) groupOf(mainProject.value.id);
  const common = byProject.get('');
  // The project with news that has no group of its own is what those who work for all are at.
  const at = common && (projects.value.find((project) => !byProject.has(project.id)) ?? (byProject.size === 1 ? mainProject.value : null));
  if (common && at) Object.assign(common, { projectId: '', name: at.name, progress: progressOf(at) });
  else if (common && byProject.size > 1 && !common.name) common.name = 'No project';
  return [...byProject.values()];
});
