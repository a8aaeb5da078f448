import type { Route } from "./route.ts";
import { AGENT_ROUTES } from "./routes-agents.ts";
import { CREDENTIAL_ROUTES } from "./routes-credentials.ts";
import { INBOX_ROUTES } from "./routes-inbox.ts";
import { JOB_ROUTES } from "./routes-jobs.ts";
import { LANE_CONFIG_ROUTES } from "./routes-lane-config.ts";
import { LANE_GIT_ROUTES } from "./routes-lane-git.ts";
import { LANE_VIEW_ROUTES } from "./routes-lane-views.ts";
import { LANE_ROUTES } from "./routes-lanes.ts";
import { PAGE_ROUTES } from "./routes-page.ts";
import { SYSTEM_ROUTES } from "./routes-system.ts";
import { WORKSPACE_ROUTES } from "./routes-workspaces.ts";

/** Every route of the host API: what is served is what is described. */
export const ROUTES: readonly Route[] = [
  ...WORKSPACE_ROUTES,
  ...LANE_ROUTES,
  ...LANE_VIEW_ROUTES,
  ...LANE_GIT_ROUTES,
  ...LANE_CONFIG_ROUTES,
  ...JOB_ROUTES,
  ...INBOX_ROUTES,
  ...AGENT_ROUTES,
  ...CREDENTIAL_ROUTES,
  ...PAGE_ROUTES,
  ...SYSTEM_ROUTES,
];
