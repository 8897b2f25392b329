using System;
using System.Management.Automation;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Makes a session or process again from what JSON or CLIXML kept of it, so that another process can go on from it; and
/// a process from an event or a sample that names one.
/// </summary>
internal sealed class RecordConverter : PSTypeConverter
{
    /// <summary>What an event has that names a process, in place of when the process was started.</summary>
    private const string EventKind = "Kind";

    public RecordConverter()
    {
    }

    /// <inheritdoc/>
    public override bool CanConvertFrom(object sourceValue, Type destinationType)
    {
        PSObject source = PSObject.AsPSObject(sourceValue);
        return Has(source, nameof(PodDebugSession.Namespace))
            && Has(source, nameof(PodDebugSession.PodName))
            && Has(source, nameof(PodDebugSession.DebugContainer))
            && (destinationType == typeof(PyProcess)
                ? Has(source, nameof(PyProcess.ProcessId))
                    && (Has(source, nameof(PyProcess.StartTime)) || Has(source, EventKind))
                : Has(source, nameof(PodDebugSession.Python)));
    }

    /// <inheritdoc/>
    public override object ConvertFrom(
        object sourceValue,
        Type destinationType,
        IFormatProvider formatProvider,
        bool ignoreCase)
    {
        if (!CanConvertFrom(sourceValue, destinationType))
        {
            throw new PSInvalidCastException($"This object was not made from a {destinationType.Name}.");
        }

        object record = RecordReader.Read(PSObject.AsPSObject(sourceValue), destinationType);
        return (record, PSObject.AsPSObject(sourceValue).BaseObject) switch
        {
            (PyProcess process, ISessionCarrier live) => process with { Session = live.Session },
            _ => record,
        };
    }

    /// <inheritdoc/>
    public override bool CanConvertTo(object sourceValue, Type destinationType) => false;

    /// <inheritdoc/>
    public override object ConvertTo(
        object sourceValue,
        Type destinationType,
        IFormatProvider formatProvider,
        bool ignoreCase)
        => throw new PSInvalidCastException();

    private static bool Has(PSObject source, string name) => source.Properties[name]?.Value is not null;
}
