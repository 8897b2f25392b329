using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Tests that change this process's environment run one after the other.</summary>
[CollectionDefinition(nameof(EnvironmentCollection), DisableParallelization = true)]
public sealed class EnvironmentCollection;
