using System;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Engine;
using PyDebug.Tests.Module;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>What is sent of the agent for which question.</summary>
public sealed class AgentBundleTests
{
    [Fact]
    public void An_operation_is_sent_what_it_imports_wherever_it_does()
    {
        FakeAgentFiles files = new();

        Assert.Equal(
            [
                "keeper", "pydebug_agent", "pydebug_agent.errors", "pydebug_agent.reader", "pydebug_agent.reader.elf",
                "pydebug_agent.reader.run", "pydebug_agent.reader.sent", "pydebug_agent.typing",
            ],
            files.Modules.NeededBy([AgentModules.ModuleOf("stack")]));
    }

    [Fact]
    public void An_unknown_operation_is_left_for_the_agent_to_refuse()
    {
        FakeAgentFiles files = new();

        Assert.Equal(["pydebug_agent"], files.Modules.NeededBy([AgentModules.ModuleOf("format-disk")]));
    }

    [Fact]
    public void The_agent_is_a_part_of_the_assembly_as_it_is_in_the_repository()
    {
        AgentSources sources = new();
        string folder = Path.Join(Repository.Root, "src", "agent");
        string[] files =
            [.. Directory.GetFiles(folder, "*.py", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

        Assert.Equal(
            files.Select(file => Path.GetRelativePath(folder, file)), sources.Paths.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(
            File.ReadAllText(file), sources.Read(Path.GetRelativePath(folder, file))));
        Assert.DoesNotContain(
            Directory.GetFiles(AppContext.BaseDirectory, "*.py", SearchOption.AllDirectories),
            file => Path.GetFileName(file) is "boot.py" or "keeper_boot.py" or "keeper.py");
    }

    [Theory]
    [InlineData("heap", "{}", "Reading the heap needs 23.0 MiB of memory")]
    [InlineData("stop", "{}", "The end needs 7.0 MiB of memory")]
    [InlineData("format-disk", "{}", "An answer needs 7.0 MiB of memory")]
    [InlineData("pyspy", """{"mode":"dump"}""", "py-spy needs 17.0 MiB of memory")]
    [InlineData("pyspy", """{"mode":"record"}""", "py-spy needs 26.0 MiB of memory")]
    [InlineData("time", """{"method":"kernel","exact":false}""", "Measuring time needs 21.0 MiB of memory")]
    [InlineData("time", """{"method":"auto","thread":"kernel"}""", "Measuring time needs 12.0 MiB of memory")]
    [InlineData("memray", """{"native":false}""", "memray needs 34.0 MiB of memory")]
    [InlineData("memray", """{"native":true,"pythonAllocators":true}""", "memray needs 78.0 MiB of memory")]
    public void What_an_operation_needs_is_said_in_the_agents_words(string operation, string body, string expected)
    {
        AgentRequest request = new() { Op = operation, Body = JsonNode.Parse(body)!.AsObject() };

        Assert.Equal(expected, AgentModules.NeedOf(request));
    }

    [Theory]
    [InlineData("processes", "pydebug_agent.target.processes", "pydebug_agent.reader")]
    [InlineData("stack", "pydebug_agent.reader.take", "pydebug_agent.timing")]
    [InlineData("time", "pydebug_agent.timing.kernel_sampler", "pydebug_agent.memray")]
    [InlineData("memray", "pydebug_agent.memray.reduce", "pydebug_agent.bpftrace")]
    [InlineData("get", "pydebug_agent.transfer.get", "pydebug_agent.reader")]
    public void A_question_is_sent_no_more_than_its_own_part_of_the_agent(string operation, string has, string hasNot)
    {
        AgentModules modules = new(new AgentSources());

        string[] sent = [.. modules.NeededBy(["pydebug_agent.main", AgentModules.ModuleOf(operation)])];

        Assert.Contains(has, sent);
        Assert.DoesNotContain(sent, name => name.StartsWith(hasNot, StringComparison.Ordinal));
        Assert.All(
            sent, name => Assert.True(name == "keeper" || name.StartsWith("pydebug_agent", StringComparison.Ordinal)));
    }
}
