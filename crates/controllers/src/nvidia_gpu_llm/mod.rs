//! `NvidiaGpuLlm`: one Pod with Ollama and a model, by action.

