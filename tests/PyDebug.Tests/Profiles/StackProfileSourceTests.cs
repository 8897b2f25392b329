using System;
using System.Management.Automation;
using PyDebug.Profiles;
using Xunit;

namespace PyDebug.Tests.Profiles;

/// <summary>What JSON and CLIXML kept of a report is told by its type's name, else by what it has.</summary>
public sealed class StackProfileSourceTests
{
    [Theory]
    [InlineData(typeof(StackProfile), "Samples", "Metric")]
    [InlineData(typeof(PyTimeReport), "Waits", "Cpu")]
    [InlineData(typeof(BpftraceMap), "Map", "Frames")]
    [InlineData(typeof(MemrayReport), "Allocations", "PeakAllocations")]
    [InlineData(typeof(PyHeapReport), "Parts", "Types", "Holders")]
    public void A_report_is_made_again(Type type, params string[] properties)
    {
        PSObject plain = new();
        foreach (string name in properties)
        {
            plain.Properties.Add(new PSNoteProperty(name, name is "Map" or "Metric" ? "@x" : Array.Empty<object>()));
        }

        PSObject named = new();
        named.TypeNames.Insert(0, $"Deserialized.{type.FullName}");

        Assert.IsType(type, StackProfileSources.Revive(plain));
        Assert.IsType(type, StackProfileSources.Revive(named));
        plain.Properties.Remove(properties[0]);
        Assert.Null(StackProfileSources.Revive(plain));
    }
}
