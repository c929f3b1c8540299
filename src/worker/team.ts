/** Threads with a memory of their own, in a chunk of its own: for pages that cannot share memory. */
import { Team } from '../cpu/team.ts';
import { startThread } from './threads.ts';

export const openTeam = (threads: number): Team => new Team(threads - 1, startThread);
