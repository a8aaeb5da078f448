export { type ModelService, type SeenRequest, startModelService } from "./model-service.ts";
